// The structops command loads BPF objects with struct_ops maps.
//
//	structops load [-attach] [-hold 300ms] [-json] [-programs all|auto] [-missing strict|drop] OBJECT...
package main

import (
	"fmt"
	"io"
	"os"
)

const usage = `usage: structops load [-attach] [-hold DURATION] [-json] [-programs all|auto] [-missing strict|drop] OBJECT...`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run executes a command and returns the exit status: 0 if all went well, 1 if
// something failed, 2 if the command was not understood.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprintln(stderr, usage)
		return 2
	}
	switch args[0] {
	case "load":
		return runLoad(args[1:], stdout, stderr)
	default:
		fmt.Fprintf(stderr, "structops: no command %q\n%s\n", args[0], usage)
		return 2
	}
}
