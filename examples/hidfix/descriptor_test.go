//go:build linux

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	before := []byte{0x05, 0x01, 0x25, 0x7f, 0x81, 0x07, 0xc0, 0x26, 0xff}
	after := []byte{0x05, 0x01, 0x26, 0xff, 0x00, 0x81, 0x06, 0xc0}
	want := `  05 01    Usage Page (1)
- 25 7f    Logical Maximum (127)
+ 26 ff 00 Logical Maximum (255)
- 81 07    Input (Constant, Variable, Relative)
+ 81 06    Input (Data, Variable, Relative)
  c0       End Collection
- 26 ff    Logical Maximum (255)
`
	if diff := cmp.Diff(want, compare(before, after)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := compare(nil, []byte{0xc0}); got != "+ c0       End Collection\n" {
		t.Errorf("got %q", got)
	}
}
