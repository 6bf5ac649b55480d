//go:build linux

package integration

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/ebpfx/ebpfx/structops"
)

// ejected says why the kernel throws a scheduler out sooner or later: it is
// what the kernel's selftest wants to see.
var ejected = map[string]string{
	"ddsp_bogus_dsq_fail":         "dispatches to a queue that does not exist",
	"ddsp_vtimelocal_fail":        "gives a local queue a virtual time",
	"dsp_local_on":                "dispatches to the queues of all processors",
	"enq_last_no_enq_fails":       "wants the last task, but has no enqueue",
	"enq_select_cpu_fails":        "selects a processor in enqueue",
	"exit":                        "exits at the point that a variable tells",
	"hotplug":                     "exits when a processor comes or goes",
	"select_cpu_dispatch_bad_dsq": "dispatches to a queue that does not exist",
	"select_cpu_dispatch_dbl_dsp": "dispatches a task twice",
	"scx_central":                 "wants init on the central processor, and the kernel calls it on any",
}

// TestSchedulers attaches every scheduler of the corpus: it has to be in
// charge until its link is closed.
func TestSchedulers(t *testing.T) {
	needSchedExt(t)
	const dir = "../../shared/corpus/objects"
	corpus(t, "objects")
	k := runningKernel(t)
	var objects []string
	for _, pattern := range []string{"tools-sched_ext/*.bpf.o", "selftests-sched_ext/*.bpf.o"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no objects %s: %v", pattern, err)
		}
		objects = append(objects, paths...)
	}
	for _, path := range objects {
		name := strings.TrimSuffix(filepath.Base(path), ".bpf.o")
		if strings.HasPrefix(name, "maybe_null_fail") {
			continue // refused by the verifier, see TestParity
		}
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			obj := openObject(t, path)
			if name == "scx_central" {
				setProcessors(t, obj.Spec)
			}
			coll, err := obj.Load(&structops.Options{Kernel: k})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			defer coll.Close()
			for _, m := range coll.Plan.Maps {
				lnk, err := coll.Attach(m.Name)
				if err != nil {
					t.Fatal(err)
				}
				state := readFile(schedExtState)
				if err := lnk.Close(); err != nil {
					t.Error(err)
				}
				if ok := state == "enabled"; !ok && ejected[name] == "" {
					t.Errorf("map %q: sched_ext is %s, want enabled; the kernel says:\n%s", m.Name, state, kernelLog())
				}
				waitDisabled(t)
			}
		})
	}
}

// kernelLog returns what the kernel has said about sched_ext.
func kernelLog() string {
	buf := make([]byte, 64<<10)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, buf)
	if err != nil {
		return err.Error()
	}
	var said []string
	for line := range strings.Lines(string(buf[:n])) {
		if strings.Contains(line, "sched_ext") {
			said = append(said, line)
		}
	}
	return strings.Join(said, "")
}

// setProcessors does what the user-space part of scx_central does: as it is, the
// object is made for one processor.
func setProcessors(t *testing.T, spec *ebpf.CollectionSpec) {
	t.Helper()
	n := uint32(ebpf.MustPossibleCPU())
	if err := spec.Variables["nr_cpu_ids"].Set(n); err != nil {
		t.Fatal(err)
	}
	spec.Maps[".data.cpu_gimme_task"].ValueSize = n
	spec.Maps[".data.cpu_started_at"].ValueSize = 8 * n
}

// schedExtState tells whether a scheduler is in charge.
const schedExtState = "/sys/kernel/sched_ext/state"

// needSchedExt skips tests that need sched_ext in the virtual machine.
func needSchedExt(t *testing.T) {
	t.Helper()
	needVM(t)
	if readFile(schedExtState) == "" {
		t.Skip("needs sched_ext")
	}
}

// waitDisabled waits until the kernel has let a scheduler go.
func waitDisabled(t *testing.T) {
	t.Helper()
	for range 500 {
		if readFile(schedExtState) == "disabled" {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("sched_ext is %s, want disabled", readFile(schedExtState))
}
