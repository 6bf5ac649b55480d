//go:build linux

package main

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

// TestSwap swaps the congestion control of a real transfer.
func TestSwap(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	r, err := swapLive(t.Context(), 2*time.Second)
	if errors.Is(err, ebpf.ErrNotSupported) {
		t.Skipf("needs Linux 6.4 with BTF: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if r.calm == 0 || r.eager == 0 {
		t.Errorf("%d calls of calm, %d of eager", r.calm, r.eager)
	}
	if r.sent == 0 || r.sent != r.received {
		t.Errorf("%d bytes sent, %d received", r.sent, r.received)
	}
	if r.linkBefore == r.after {
		t.Errorf("%s before and after", r.after)
	}
	t.Logf("\n%s", r)
}
