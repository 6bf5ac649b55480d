//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/ebpfx/ebpfx/structops"
)

// The embedded object is the one that the program expects.
func TestObject(t *testing.T) {
	obj, err := structops.Open(bytes.NewReader(object))
	if err != nil {
		t.Fatal(err)
	}
	ops, err := obj.Shadow("fifo")
	if err != nil {
		t.Fatal(err)
	}
	for member, want := range map[string]string{"enqueue": "fifo_enqueue", "dispatch": "fifo_dispatch", "init": "fifo_init", "exit": "fifo_exit"} {
		if got, err := ops.Program(member); err != nil || got != want {
			t.Errorf("member %q: program %q, %v; want %q", member, got, err, want)
		}
	}
}

// TestRun schedules a virtual machine for two seconds.
func TestRun(t *testing.T) {
	if os.Getenv("EBPFX_VM") == "" {
		t.Skip("needs the virtual machine")
	}
	if _, err := os.Stat("/sys/kernel/sched_ext"); err != nil {
		t.Skip("needs Linux 6.12 with CONFIG_SCHED_CLASS_EXT")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var lines []string
	s, err := run(ctx, 200*time.Millisecond, func(line string) { lines = append(lines, line) })
	if err != nil {
		t.Fatal(err)
	}
	if s.Enqueued == 0 || s.Exited != 1 || exitKind(s.ExitKind) != exitUnreg {
		t.Errorf("%+v", s)
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "enabled: ") {
		t.Errorf("lines %q", lines)
	}
}

// TestRefuse: a kernel without sched_ext.
func TestRefuse(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/sched_ext"); err == nil {
		t.Skip("this kernel has sched_ext")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil || os.Getuid() != 0 {
		t.Skip("needs root and a kernel with BTF")
	}
	_, err := run(context.Background(), time.Second, func(string) {})
	if err == nil || !strings.Contains(explain(err), "this kernel has no sched_ext") {
		t.Errorf("%v", err)
	}
}

func TestExplain(t *testing.T) {
	if got := explain(fmt.Errorf("map create: %w", unix.EPERM)); got != "needs root (CAP_BPF and CAP_SYS_ADMIN)" {
		t.Error(got)
	}
	if _, err := os.Stat("/sys/kernel/sched_ext"); err == nil {
		if got := explain(fmt.Errorf("attach: %w", unix.EBUSY)); !strings.Contains(got, "another scheduler is running") {
			t.Error(got)
		}
		if got := explain(ebpf.ErrNotSupported); got != ebpf.ErrNotSupported.Error() {
			t.Error(got)
		}
	}
}

func TestExitKind(t *testing.T) {
	for kind, want := range map[exitKind]bool{exitDone: false, exitUnreg: false, exitSysRq: false, exitError: true, exitErrorStall: true, 4711: true} {
		if kind.isError() != want || kind.String() == "" {
			t.Errorf("%d: error %v, want %v; %s", kind, kind.isError(), want, kind)
		}
	}
}
