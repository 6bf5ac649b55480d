package integration

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/google/go-cmp/cmp"

	"github.com/ebpfx/ebpfx/btfx"
	"github.com/ebpfx/ebpfx/structops"
)

// needRoot skips tests that load programs where that is not possible.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Skip("needs a kernel with BTF")
	}
}

// needLinks skips tests of maps that are attached through a link.
func needLinks(t testing.TB) {
	t.Helper()
	needRoot(t)
	if _, err := runningKernel(t).Find(btfx.KindStruct, "bpf_struct_ops_link"); err != nil {
		t.Skipf("needs Linux 6.4, with BPF links for struct_ops: %v", err)
	}
}

// needVM skips tests that could harm the machine.
func needVM(t testing.TB) {
	t.Helper()
	if os.Getenv("EBPFX_VM") == "" {
		t.Skip("needs the virtual machine")
	}
	needRoot(t)
}

// needTestmod skips tests that need the kernel's BPF test module.
func needTestmod(t testing.TB) {
	t.Helper()
	needVM(t)
	if _, err := os.Stat("/sys/kernel/btf/bpf_testmod"); err != nil {
		t.Skip("needs the module bpf_testmod")
	}
}

// corpus returns a path below the corpus beside the repository.
func corpus(t testing.TB, path string) string {
	t.Helper()
	path = filepath.Join("../../shared/corpus", path)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs the corpus beside the repository: %v", err)
	}
	return path
}

// golden returns the path of an object of testdata.
func golden(name string) string { return filepath.Join("../testdata", name+"-el.elf") }

// openObject opens an object or fails the test.
func openObject(t testing.TB, path string) *structops.Object {
	t.Helper()
	obj, err := openFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

func openFile(path string) (*structops.Object, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return structops.Open(f)
}

// mustLoad loads an object and closes it at the end of the test.
func mustLoad(t testing.TB, obj *structops.Object) *structops.Collection {
	t.Helper()
	coll, err := obj.Load(nil)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(coll.Close)
	return coll
}

// runningKernel is the running kernel's BTF.
func runningKernel(t testing.TB) *btfx.Kernel {
	t.Helper()
	k, err := btfx.LoadKernel()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// kernelState is what is left behind at once if something is.
type kernelState struct {
	FDs        []string // of this process
	Programs   []ebpf.ProgramID
	Links      []link.ID
	Congestion string // registered algorithms
	SchedExt   string // state
}

// readKernelState lists what this process holds. In the virtual machine it is
// alone, so that everything in the kernel counts.
func readKernelState(t testing.TB) kernelState {
	t.Helper()
	var s kernelState
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		target, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && (strings.Contains(target, "bpf") || strings.Contains(target, "btf")) {
			s.FDs = append(s.FDs, target)
		}
	}
	if os.Getenv("EBPFX_VM") == "" {
		return s
	}
	for id, err := ebpf.ProgramGetNextID(0); err == nil; id, err = ebpf.ProgramGetNextID(id) {
		s.Programs = append(s.Programs, id)
	}
	for it := new(link.Iterator); it.Next(); {
		s.Links = append(s.Links, it.ID)
	}
	s.Congestion = readFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	s.SchedExt = readFile("/sys/kernel/sched_ext/state")
	return s
}

// readFile returns the text of a file of the kernel, empty if there is none.
func readFile(path string) string {
	text, _ := os.ReadFile(path)
	return strings.TrimSpace(string(text))
}

// leavesNothing fails a test that ends with more in the kernel than there was
// before. Programs of a link are let go a moment after it.
func leavesNothing(t testing.TB) {
	t.Helper()
	before := readKernelState(t)
	t.Cleanup(func() {
		eventually(t, 10*time.Second, func() string {
			after := readKernelState(t)
			// What an earlier test has left may be gone by now.
			after.Programs = added(before.Programs, after.Programs)
			after.Links = added(before.Links, after.Links)
			return cmp.Diff(kernelState{FDs: before.FDs, Congestion: before.Congestion, SchedExt: before.SchedExt}, after)
		})
	})
}

// keepsNoMaps is [leavesNothing] for maps, which are kept by programs for
// seconds after these are gone.
func keepsNoMaps(t testing.TB) {
	t.Helper()
	read := func() (ids []ebpf.MapID) {
		for id, err := ebpf.MapGetNextID(0); err == nil; id, err = ebpf.MapGetNextID(id) {
			ids = append(ids, id)
		}
		return ids
	}
	before := read()
	t.Cleanup(func() {
		eventually(t, 2*time.Minute, func() string { return cmp.Diff([]ebpf.MapID(nil), added(before, read())) })
	})
}

// added returns what is in after, but not in before.
func added[T comparable](before, after []T) []T {
	var ids []T
	for _, id := range after {
		if !slices.Contains(before, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// eventually fails a test if there still is a difference after some time.
func eventually(t testing.TB, timeout time.Duration, diff func() string) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		d := diff()
		if d == "" {
			return
		}
		if time.Since(start) > timeout {
			t.Errorf("left behind in the kernel (-before +after):\n%s", d)
			return
		}
	}
}

// readTable reads a table with tabs between its columns, without its first line.
func readTable(t testing.TB, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows [][]string
	for s := bufio.NewScanner(f); s.Scan(); {
		rows = append(rows, strings.Split(s.Text(), "\t"))
	}
	if len(rows) < 2 {
		t.Fatalf("%s: no rows", path)
	}
	return rows[1:]
}
