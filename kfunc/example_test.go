package kfunc_test

import (
	"fmt"
	"log"
	"os"

	"github.com/ebpfx/ebpfx/btfx"
	"github.com/ebpfx/ebpfx/kfunc"
)

// What does an object leave to the kernel? No kernel is asked.
func ExampleExterns() {
	elf, err := os.Open("../testdata/kfunc_incompatible-el.elf")
	if err != nil {
		log.Fatal(err)
	}
	defer elf.Close()

	file, err := btfx.NewFile(elf)
	if err != nil {
		log.Fatal(err)
	}
	spec, err := file.Spec()
	if err != nil {
		log.Fatal(err)
	}
	externs, err := kfunc.Externs(spec, file)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range externs {
		fmt.Printf("%s %s, weak: %v\n", e.Kind, e.Name, e.Weak)
	}

	// Output:
	// kfunc bpf_rcu_read_lock, weak: true
	// kfunc bpf_rcu_read_lock___void, weak: true
	// kfunc bpf_rcu_read_unlock, weak: false
}
