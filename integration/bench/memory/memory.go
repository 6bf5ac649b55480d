// Package memory measures the memory of this process.
package memory

import (
	"bytes"
	"fmt"
	"os"
)

// Peak returns the peak resident memory in KiB, -1 where it can't be told.
// getrusage(2) would count that of the parent, too.
func Peak() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return -1
	}
	_, line, _ := bytes.Cut(status, []byte("VmHWM:"))
	kib := -1
	fmt.Sscan(string(line[:bytes.IndexByte(append(line, '\n'), '\n')]), &kib)
	return kib
}
