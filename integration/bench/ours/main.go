// Opens and loads an object with structops, and closes it.
//
//	ours [-verifiers N] OBJECT
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/ebpfx/ebpfx/integration/bench/memory"
	"github.com/ebpfx/ebpfx/structops"
)

func main() {
	verifiers := flag.Int("verifiers", 0, "programs that are verified at the same time")
	flag.Parse()
	if err := load(flag.Arg(0), *verifiers); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func load(path string, verifiers int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	obj, err := structops.Open(f)
	if err != nil {
		return err
	}
	coll, err := obj.Load(&structops.Options{Verifiers: verifiers})
	if err != nil {
		return err
	}
	defer coll.Close()
	fmt.Println(len(coll.Programs), memory.Peak())
	return nil
}
