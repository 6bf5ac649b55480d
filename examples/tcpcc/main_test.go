//go:build linux

package main

import (
	"fmt"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "1025KiB": 1025 << 10, "1000": 1000, "64KiB": 64 << 10, "64MiB": 64 << 20, "2GiB": 2 << 30, "1024GiB": 1 << 40} {
		var s size
		if err := s.Set(text); err != nil || int64(s) != want {
			t.Errorf("%q: got %d, %v; want %d", text, s, err, want)
		}
		var again size
		if err := again.Set(s.String()); err != nil || again != s {
			t.Errorf("%q: printed as %q, which is %d, %v", text, s.String(), again, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "1.5MiB", "64MB", "MiB", "1025GiB", "9223372036854775807GiB"} {
		var s size
		if err := s.Set(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, s)
		}
	}
}

func TestExplain(t *testing.T) {
	for want, err := range map[string]error{
		"needs root (CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)":                                         fmt.Errorf("map create: %w", unix.EPERM),
		"a congestion control of the name ebpfx_tcpcc is registered already; does another tcpcc run?": fmt.Errorf("attach: %w", unix.EEXIST),
	} {
		if got := explain(err); got != want {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
}

// The spec that bpf2go embeds is the one that the program expects.
func TestSpec(t *testing.T) {
	spec, err := loadCc()
	if err != nil {
		t.Fatal(err)
	}
	if m := spec.Maps[ccMapTcpcc]; m == nil || m.Type != ebpf.StructOpsMap {
		t.Errorf("map %q: got %v, want a struct_ops map", ccMapTcpcc, m)
	}
	var objs ccSpecs
	if err := spec.Assign(&objs); err != nil {
		t.Error(err)
	}
	if err := objs.Ceiling.Set(uint32(8)); err != nil {
		t.Error(err)
	}
}
