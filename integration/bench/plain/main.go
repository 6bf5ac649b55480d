// Opens and loads an object with cilium/ebpf alone, and closes it.
//
//	plain OBJECT
package main

import (
	"fmt"
	"os"

	"github.com/cilium/ebpf"

	"github.com/ebpfx/ebpfx/integration/bench/memory"
)

func main() {
	if err := load(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func load(path string) error {
	spec, err := ebpf.LoadCollectionSpec(path)
	if err != nil {
		return err
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return err
	}
	defer coll.Close()
	fmt.Println(len(coll.Programs), memory.Peak())
	return nil
}
