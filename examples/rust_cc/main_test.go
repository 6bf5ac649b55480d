//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ebpfx/ebpfx/structops"
)

// The embedded object is the one that the program expects.
func TestObject(t *testing.T) {
	obj, err := structops.Open(bytes.NewReader(object))
	if err != nil {
		t.Fatal(err)
	}
	ops, err := obj.Shadow("rust_cc")
	if err != nil {
		t.Fatal(err)
	}
	for member, want := range map[string]string{
		"init": "cc_init", "release": "cc_release", "ssthresh": "cc_ssthresh", "cong_avoid": "cc_cong_avoid", "undo_cwnd": "cc_undo_cwnd",
	} {
		if got, err := ops.Program(member); err != nil || got != want {
			t.Errorf("member %q: program %q, %v; want %q", member, got, err, want)
		}
	}
	if got, err := structops.As[[16]byte](ops, "name"); err != nil || string(bytes.TrimRight(got[:], "\x00")) != name {
		t.Errorf("name %q, %v; want %q", got, err, name)
	}
}

// needKernel skips tests that run the congestion control where that is not
// possible.
func needKernel(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Skip("needs a kernel with BTF")
	}
	var major, minor int
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(release), "%d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	if major < 6 || major == 6 && minor < 4 {
		t.Skip("needs Linux 6.4: this kernel has no BPF links for struct_ops")
	}
}

// TestRun moves 8 MiB, and again after the first run has cleaned up.
func TestRun(t *testing.T) {
	needKernel(t)
	for range 2 {
		var seen int
		p, err := run(context.Background(), 8<<20, func(progress) { seen++ })
		if err != nil {
			t.Fatal(err)
		}
		if p.received != 8<<20 || p.calls.Init != 1 || p.calls.Release != 1 || p.calls.CongAvoid == 0 || seen == 0 {
			t.Errorf("%v, observed %d times", p, seen)
		}
	}
}

func TestInterrupt(t *testing.T) {
	needKernel(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := run(ctx, 1<<40, func(progress) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestExplain(t *testing.T) {
	for want, err := range map[string]error{
		"needs root (CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)":                                             fmt.Errorf("map create: %w", unix.EPERM),
		"a congestion control of the name ebpfx_rust_cc is registered already; does another rust_cc run?": fmt.Errorf("attach: %w", unix.EEXIST),
	} {
		if got := explain(err); got != want {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
}
