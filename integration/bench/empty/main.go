// The empty Go program.
package main

import (
	"fmt"

	"github.com/ebpfx/ebpfx/integration/bench/memory"
)

func main() { fmt.Println(0, memory.Peak()) }
