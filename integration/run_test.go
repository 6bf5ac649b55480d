//go:build linux

package integration

import (
	"bytes"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// variables reads 32-bit variables of an object.
func variables(t testing.TB, coll *ebpf.Collection, names ...string) map[string]int32 {
	t.Helper()
	got := make(map[string]int32)
	for _, name := range names {
		var v int32
		if err := coll.Variables[name].Get(&v); err != nil {
			t.Fatalf("variable %q: %v", name, err)
		}
		got[name] = v
	}
	return got
}

// TestRunCallbacks attaches a congestion control, has it initialise a socket
// and reads what the callback has found out about the kernel.
func TestRunCallbacks(t *testing.T) {
	needLinks(t)
	for _, tc := range []struct {
		object, congestion string
		want               map[string]int32
	}{
		{"structops_kfuncs", "ebpfx_kfuncs", map[string]int32{"guard": 1, "flavor": 3}},
		{"structops_core", "ebpfx_core", map[string]int32{"known_type": 1, "unknown_type": 0, "unknown_field": 0}},
	} {
		t.Run(tc.object, func(t *testing.T) {
			leavesNothing(t)
			coll := mustLoad(t, openObject(t, golden(tc.object)))
			lnk, err := coll.Attach("one")
			if err != nil {
				t.Fatal(err)
			}
			defer lnk.Close()
			if err := useCongestion(tc.congestion); err != nil {
				t.Fatal(err)
			}
			names := make([]string, 0, len(tc.want))
			for name := range tc.want {
				names = append(names, name)
			}
			if diff := cmp.Diff(tc.want, variables(t, coll.Collection, names...)); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRunProgArray has a program call one that is in an array with static
// contents.
func TestRunProgArray(t *testing.T) {
	needLinks(t)
	leavesNothing(t)
	coll := mustLoad(t, openObject(t, golden("structops_progarray")))
	ret, _, err := coll.Programs["entry"].Test(make([]byte, 64))
	if err != nil || ret != 42 {
		t.Errorf("returns %d, want 42: %v", ret, err)
	}
}

// TestRunFunctionAddresses passes the addresses of functions to bpf_loop, none
// of which is the first in its section.
func TestRunFunctionAddresses(t *testing.T) {
	needRoot(t)
	leavesNothing(t)
	coll := mustLoad(t, openObject(t, golden("view_callback")))
	runProgram(t, coll.Collection, "prog")
	var hits uint64
	if err := coll.Variables["hits"].Get(&hits); err != nil {
		t.Fatal(err)
	}
	if want := uint64(10*100 + 10*10000 + 10*1000000); hits != want {
		t.Errorf("hits %d, want %d", hits, want)
	}
}

// TestRunLinkedCORE has a statically linked object read fields of this task:
// functions without a symbol stand before those with the relocations.
func TestRunLinkedCORE(t *testing.T) {
	needRoot(t)
	leavesNothing(t)
	coll := mustLoad(t, openObject(t, golden("linked_core")))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, subreaper := range []int{1, 0} {
		if diff := cmp.Diff(thisTask(t, subreaper), readTask(t, coll.Collection)); diff != "" {
			t.Errorf("fields of the task (-want +got):\n%s", diff)
		}
	}
}

// TestCanaryLinkedCORE shows that upstream puts the relocations of such an
// object on other instructions.
func TestCanaryLinkedCORE(t *testing.T) {
	needRoot(t)
	coll, err := ebpf.LoadCollection(golden("linked_core"))
	if err != nil {
		t.Logf("as expected: %v", err)
		return
	}
	defer coll.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	want := thisTask(t, 0)
	got := readTask(t, coll)
	if cmp.Equal(want, got) {
		t.Error("cilium/ebpf relocates functions behind ones without a symbol: btfx/view_code.go can go")
	}
	t.Logf("as expected, fields of the task (-want +got):\n%s", cmp.Diff(want, got))
}

// TestRunLinkedTypeIDs reads the type IDs that a program of a linked object has:
// the linker has renumbered the types, but not in the instructions.
func TestRunLinkedTypeIDs(t *testing.T) {
	needRoot(t)
	leavesNothing(t)
	coll := mustLoad(t, openObject(t, golden("linked_typeid")))
	runProgram(t, coll.Collection, "prog")
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	handle, err := coll.Programs["prog"].Handle()
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	types, err := handle.Spec(nil)
	if err != nil {
		t.Fatal(err)
	}
	idOf := func(spec *btf.Spec, name string) int32 {
		var typ *btf.Struct
		if err := spec.TypeByName(name, &typ); err != nil {
			t.Fatal(err)
		}
		id, err := spec.TypeID(typ)
		if err != nil {
			t.Fatal(err)
		}
		return int32(id)
	}
	want := map[string]int32{"local": idOf(types, "last"), "target": idOf(kernel, "task_struct"), "absent": 0}
	if diff := cmp.Diff(want, variables(t, coll.Collection, "local", "target", "absent")); diff != "" {
		t.Errorf("type IDs (-want +got):\n%s", diff)
	}
}

// TestCanaryLinkedTypeIDs shows that upstream refuses such an object.
func TestCanaryLinkedTypeIDs(t *testing.T) {
	needRoot(t)
	coll, err := ebpf.LoadCollection(golden("linked_typeid"))
	if err == nil {
		coll.Close()
		t.Fatal("cilium/ebpf takes type IDs that a linker has changed: Fixup.Apply in btfx/core.go can call it")
	}
	if !strings.Contains(err.Error(), "invalid immediate") {
		t.Error(err)
	}
}

// task is what the program in linked_core reads.
type task struct {
	Numbers map[string]int32
	Comm    string
}

// thisTask makes the process a reaper of orphans or not, which is a bitfield in
// the kernel, and returns what the program should find.
func thisTask(t testing.TB, subreaper int) task {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, uintptr(subreaper), 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	comm, err := os.ReadFile("/proc/thread-self/comm")
	if err != nil {
		t.Fatal(err)
	}
	pid := int32(os.Getpid())
	return task{
		Numbers: map[string]int32{"pid": int32(unix.Gettid()), "tgid": pid, "leader": pid, "subreaper": int32(subreaper), "mm": 1},
		Comm:    string(bytes.TrimSpace(comm)),
	}
}

// readTask runs the program on this thread.
func readTask(t testing.TB, coll *ebpf.Collection) task {
	t.Helper()
	runProgram(t, coll, "prog")
	comm := make([]byte, 16)
	if err := coll.Variables["comm"].Get(comm); err != nil {
		t.Fatal(err)
	}
	return task{
		Numbers: variables(t, coll, "pid", "tgid", "leader", "subreaper", "mm"),
		Comm:    string(bytes.TrimRight(comm, "\x00")),
	}
}

// useCongestion gives a connection over the loopback a congestion control, which
// initialises it.
func useCongestion(name string) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	var setErr error
	err = raw.Control(func(fd uintptr) {
		setErr = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
	})
	return errors.Join(err, setErr)
}
