package integration

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestKernel says on which kernel the tests run and what it has to offer. It
// fails only where nothing else could work.
func TestKernel(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux")
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("Linux %s", strings.TrimSpace(string(release)))

	modules, _ := filepath.Glob("/sys/kernel/btf/*")
	if len(modules) == 0 {
		t.Error("the kernel has no BTF in /sys/kernel/btf")
	}
	for _, m := range modules {
		t.Logf("BTF of %s", filepath.Base(m))
	}
	avail, err := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("congestion control: %s", strings.TrimSpace(string(avail)))
}

// TestMachine checks what every test in the virtual machine may rely on.
func TestMachine(t *testing.T) {
	if os.Getenv("EBPFX_VM") == "" {
		t.Skip("needs the virtual machine")
	}
	for _, path := range []string{"/sys/fs/bpf", "/sys/fs/cgroup/cgroup.procs", "/sys/kernel/tracing/events", "/sys/kernel/debug/bdi"} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
