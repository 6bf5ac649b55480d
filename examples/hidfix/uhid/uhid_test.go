//go:build linux

package uhid

import (
	"encoding/binary"
	"testing"
)

func TestCreateErrors(t *testing.T) {
	for _, size := range []int{0, 4097} {
		if d, err := Create(Spec{Name: "x", Descriptor: make([]byte, size)}); err == nil {
			d.Close()
			t.Errorf("descriptor of %d bytes: no error", size)
		}
	}
}

// TestLayout compares the events with the kernel's packed structs.
func TestLayout(t *testing.T) {
	for name, sizes := range map[string][2]int{
		"create2":          {binary.Size(create2{}), 4 + 128 + 64 + 64 + 2 + 2 + 4*4 + 4096},
		"get_report_reply": {binary.Size(reportReply{}), 4 + 4 + 2 + 2},
	} {
		if sizes[0] != sizes[1] {
			t.Errorf("%s: %d bytes, the kernel has %d", name, sizes[0], sizes[1])
		}
	}
}
