package btfx_test

import (
	"fmt"
	"log"
	"os"

	"github.com/ebpfx/ebpfx/btfx"
)

// A kernel from files answers as the running one does, without privilege and on
// any system.
func ExampleNewKernel() {
	file, err := os.Open("../testdata/core_kernel-el.elf")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	vmlinux, err := btfx.RawBTF(file)
	if err != nil {
		log.Fatal(err)
	}
	kernel, err := btfx.NewKernel(vmlinux)
	if err != nil {
		log.Fatal(err)
	}

	kernel.Want("wake_up", "sleep")
	for _, name := range []string{"wake_up", "sleep"} {
		ref, err := kernel.Find(btfx.KindFunc, name)
		if err != nil {
			fmt.Println(err)
			continue
		}
		typ, err := kernel.Type(ref)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(typ)
	}
	// Output:
	// Func:"wake_up"[global proto=FuncProto]
	// FUNC "sleep": not found in kernel BTF
}
