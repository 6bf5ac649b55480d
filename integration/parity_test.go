package integration

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ebpfx/ebpfx/btfx"
	"github.com/ebpfx/ebpfx/structops"
)

// outcome is how far a loader came with an object: the phase that failed, or ok.
type outcome struct {
	phase    string // open, load, attach, ok
	attached int    // struct_ops maps, if all went well
	ops      string // the map that was not attached
	errno    syscall.Errno
}

func (o outcome) String() string {
	switch o.phase {
	case "ok":
		return fmt.Sprintf("ok attached=%d", o.attached)
	case "attach":
		return fmt.Sprintf("attach %s: %v", o.ops, o.errno)
	default:
		return fmt.Sprintf("%s: %v", o.phase, o.errno)
	}
}

// parseOutcome reads what integration/oracle prints of an object.
func parseOutcome(text string) (outcome, error) {
	phase, rest, _ := strings.Cut(text, " ")
	o := outcome{phase: phase}
	var err error
	switch phase {
	case "ok":
		_, err = fmt.Sscanf(rest, "attached=%d", &o.attached)
	case "open", "load":
		var errno int
		errno, err = strconv.Atoi(rest)
		o.errno = syscall.Errno(-errno)
	case "attach":
		var words string
		o.ops, words, _ = strings.Cut(rest, " ")
		if o.errno = errnoOf(words); o.errno == 0 {
			err = errors.New("unknown errno")
		}
	default:
		err = errors.New("unknown phase")
	}
	if err != nil {
		return o, fmt.Errorf("outcome %q: %w", text, err)
	}
	return o, nil
}

// errnoOf finds an errno by its text in the C library, which differs from Go's
// in the case of letters alone.
func errnoOf(text string) syscall.Errno {
	for errno := syscall.Errno(1); errno < 134; errno++ {
		if strings.EqualFold(errno.Error(), text) {
			return errno
		}
	}
	return 0
}

// tryObject does with an object what the oracle does: opens it, loads it,
// attaches its maps one after the other, each detached before the next.
func tryObject(path string, k *btfx.Kernel) (outcome, error) {
	obj, err := openFile(path)
	if err != nil {
		return failed("open", "", err)
	}
	coll, err := obj.Load(&structops.Options{Kernel: k})
	if err != nil {
		return failed("load", "", err)
	}
	defer coll.Close()
	o := outcome{phase: "ok"}
	for _, m := range coll.Plan.Maps {
		lnk, err := coll.Attach(m.Name)
		if err != nil {
			return failed("attach", m.Name, err)
		}
		if err := lnk.Close(); err != nil {
			return o, fmt.Errorf("map %q: detach: %w", m.Name, err)
		}
		o.attached++
	}
	return o, nil
}

func failed(phase, ops string, err error) (outcome, error) {
	o := outcome{phase: phase, ops: ops}
	errors.As(err, &o.errno)
	return o, err
}

// parity compares an outcome with libbpf's. What the kernel refused, it has
// refused for the same reason; a refusal of our own has no errno.
func parity(ours, libbpf outcome) error {
	if ours.errno == 0 {
		libbpf.errno = 0
	}
	if ours != libbpf {
		return fmt.Errorf("%v, libbpf: %v", ours, libbpf)
	}
	return nil
}

// causes are the names that an error has to tell, for objects that can't be
// loaded. Errors of attaching tell the map.
var causes = map[string][]string{
	"hid/hid.bpf.o":                                        {`program "hid_rdesc_fixup_get_data_overflow"`},
	"selftests-bpf/bad_struct_ops.bpf.o":                   {`program "test_1"`, `map "testmod_1"`, `map "testmod_2"`},
	"selftests-bpf/bad_struct_ops2.bpf.o":                  {`program "foo"`},
	"selftests-bpf/bpf_dctcp_release.bpf.o":                {`program "dctcp_nouse_release"`, "bpf_setsockopt"},
	"selftests-bpf/bpf_tcp_nogpl.bpf.o":                    {`program "nogpltcp_init"`, `license "X"`, "GPL"},
	"selftests-bpf/dummy_st_ops_fail.bpf.o":                {`program "test_unsupported_field_sleepable"`, "test_2"},
	"selftests-bpf/kfunc_module_order.bpf.o":               {`extern "bpf_test_modorder_retx"`, `extern "bpf_test_modorder_rety"`},
	"selftests-bpf/rbtree_btf_fail__add_wrong_type.bpf.o":  {`program "rbtree_api_add__add_wrong_type"`},
	"selftests-bpf/rbtree_btf_fail__wrong_node_type.bpf.o": {`program "rbtree_api_add__wrong_node_type"`},
	"selftests-bpf/struct_ops_autocreate.bpf.o":            {`map "testmod_2"`, `member "does_not_exist"`, "bpf_testmod_ops"},
	"selftests-bpf/struct_ops_forgotten_cb.bpf.o":          {`program "test_1_forgotten"`},
	"selftests-bpf/struct_ops_maybe_null_fail.bpf.o":       {`program "test_maybe_null_struct_ptr"`},
	"selftests-bpf/struct_ops_module.bpf.o":                {`map "testmod_zeroed"`, `member "zeroed_op"`},
	"selftests-bpf/struct_ops_nulled_out_cb.bpf.o":         {`program "test_1_turn_off"`},
	"selftests-bpf/tcp_ca_unsupp_cong_op.bpf.o":            {`program "unsupp_cong_op_get_info"`, `member "get_info"`},
	"selftests-bpf/test_global_map_resize.bpf.o":           {`program "bss_array_sum"`},
	"selftests-bpf/test_ksyms_btf_null_check.bpf.o":        {`program "handler"`},
	"selftests-bpf/test_ksyms_btf_write_check.bpf.o":       {`program "handler1"`},
	"selftests-bpf/unsupported_ops.bpf.o":                  {`program "unsupported_ops"`, `member "unsupported_ops"`},
	"selftests-bpf/verifier_arena.bpf.o":                   {`program "iter_maps2"`, "bpf_arena_alloc_pages"},
	"selftests-sched_ext/maybe_null_fail_dsp.bpf.o":        {`program "maybe_null_fail_dispatch"`},
	"selftests-sched_ext/maybe_null_fail_yld.bpf.o":        {`program "maybe_null_fail_yield"`},
}

// better says why we come further with an object than libbpf, by its path.
var better = map[string]string{}

// TestParity does with every object of the corpus what libbpf has been seen to
// do on the same kernel, and what it does now if the oracle is there.
func TestParity(t *testing.T) {
	needTestmod(t)
	baseline := readTable(t, corpus(t, "baseline-6.12-scx.tsv"))
	if release := readFile("/proc/sys/kernel/osrelease"); !strings.HasPrefix(release, "6.12.") {
		t.Skipf("needs Linux 6.12 with sched_ext, this is %s", release)
	}
	k := runningKernel(t)
	keepsNoMaps(t)
	loadable := 0
	for _, row := range baseline {
		object := row[0]
		want, err := parseOutcome(row[1])
		if err != nil {
			t.Fatalf("%s: %v", object, err)
		}
		t.Run(object, func(t *testing.T) {
			path := corpus(t, filepath.Join("objects", object))
			leavesNothing(t)
			ours, err := tryObject(path, k)
			checkParity(t, object, ours, want, err)
			if ours.phase == "ok" {
				loadable++
			}
			if live, ok := askOracle(t, path); ok {
				checkParity(t, object, ours, live, err)
			}
		})
	}
	t.Logf("%d of %d objects load and attach", loadable, len(baseline))
}

// checkParity compares outcomes, and what our error says.
func checkParity(t *testing.T, object string, ours, libbpf outcome, err error) {
	t.Helper()
	if diff := parity(ours, libbpf); diff != nil {
		if better[object] == "" || ours.phase != "ok" {
			t.Errorf("%v: %v", diff, err)
		}
		return
	}
	if better[object] != "" {
		t.Errorf("no better than libbpf, although %s", better[object])
	}
	if err == nil {
		return
	}
	names := causes[object]
	if ours.phase == "attach" {
		names = []string{fmt.Sprintf("map %q", ours.ops)}
	}
	if len(names) == 0 {
		t.Errorf("the test does not know the cause of: %v", err)
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("error does not tell %s: %v", name, err)
		}
	}
}

// TestParityCongestion does the same on any kernel, with objects that need
// nothing but TCP.
func TestParityCongestion(t *testing.T) {
	needLinks(t)
	k := runningKernel(t)
	kfuncs, absent := outcome{phase: "ok", attached: 1}, []string(nil)
	for _, name := range []string{"bbr_init", "dctcp_init"} {
		if _, err := k.Find(btfx.KindFunc, name); err != nil {
			kfuncs, absent = outcome{phase: "load"}, append(absent, fmt.Sprintf("extern %q", name))
		}
	}
	for _, tc := range []struct {
		name   string
		want   outcome
		causes []string
	}{
		{"bpf_cubic", outcome{phase: "ok", attached: 1}, nil},
		{"bpf_cc_cubic", outcome{phase: "ok", attached: 1}, nil},
		{"tcp_ca_update", outcome{phase: "ok", attached: 4}, nil},
		{"tcp_ca_write_sk_pacing", outcome{phase: "ok", attached: 1}, nil},
		{"tcp_ca_kfunc", kfuncs, absent},
		{"tcp_ca_unsupp_cong_op", outcome{phase: "load", errno: 524}, []string{`"unsupp_cong_op_get_info"`, `"get_info"`, "leave the member NULL"}},
		{"bpf_tcp_nogpl", outcome{phase: "load", errno: syscall.EINVAL}, []string{`"nogpltcp_init"`, `"X"`, "GPL"}},
		{"tcp_ca_incompl_cong_ops", outcome{phase: "attach", ops: "incompl_cong_ops", errno: syscall.EINVAL}, []string{`"incompl_cong_ops"`, "mandatory callback"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := corpus(t, "objects/selftests-bpf/"+tc.name+".bpf.o")
			leavesNothing(t)
			ours, err := tryObject(path, k)
			if ours != tc.want {
				t.Fatalf("%v, want %v: %v", ours, tc.want, err)
			}
			for _, cause := range tc.causes {
				if err != nil && !strings.Contains(err.Error(), cause) {
					t.Errorf("error does not tell %s: %v", cause, err)
				}
			}
			if live, ok := askOracle(t, path); ok {
				if diff := parity(ours, live); diff != nil {
					t.Error(diff)
				}
			}
		})
	}
}

// TestParityLegacy attaches a map of section .struct_ops, which has no link.
func TestParityLegacy(t *testing.T) {
	needRoot(t)
	leavesNothing(t)
	ours, err := tryObject(golden("structops_legacy"), runningKernel(t))
	if want := (outcome{phase: "ok", attached: 1}); ours != want {
		t.Fatalf("%v, want %v: %v", ours, want, err)
	}
	if live, ok := askOracle(t, golden("structops_legacy")); ok {
		if diff := parity(ours, live); diff != nil {
			t.Error(diff)
		}
	}
}

// oracle is the binary that integration/oracle/build.sh makes, where the
// virtual machine sees it.
const oracle = "testdata/oracle"

// askOracle asks libbpf what it does with an object.
func askOracle(t *testing.T, path string) (outcome, bool) {
	t.Helper()
	if _, err := os.Stat(oracle); err != nil {
		t.Logf("not compared with libbpf itself: no %s, make it with oracle/build.sh", oracle)
		return outcome{}, false
	}
	out, err := exec.Command(oracle, path).Output()
	if err != nil {
		t.Fatalf("oracle: %v", err)
	}
	_, text, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\t"))
	o, err := parseOutcome(string(text))
	if err != nil {
		t.Fatalf("oracle: %v", err)
	}
	return o, true
}

func TestParseOutcome(t *testing.T) {
	for _, tc := range []struct {
		text string
		want outcome
	}{
		{"ok attached=4", outcome{phase: "ok", attached: 4}},
		{"load -524", outcome{phase: "load", errno: 524}},
		{"attach dummy_1 Operation not supported", outcome{phase: "attach", ops: "dummy_1", errno: syscall.EOPNOTSUPP}},
	} {
		got, err := parseOutcome(tc.text)
		if err != nil || got != tc.want {
			t.Errorf("%q: %v, %v", tc.text, got, err)
		}
	}
	for _, text := range []string{"", "ok", "died 11", "attach dummy_1 No such text", "load x"} {
		if got, err := parseOutcome(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
