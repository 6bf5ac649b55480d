package structops

import (
	"errors"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/ebpfx/ebpfx/kfunc"
	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// TestExplain goes through the errno tables: phase, errno, the sentence, and
// the kernel's error inside.
func TestExplain(t *testing.T) {
	plan := func(opsType string) *MapPlan {
		return &MapPlan{Name: "m", OpsType: opsType, Slots: []Slot{{Member: "init"}, {Member: "exit"}}}
	}
	create := func(_ string, err error) error { return explainCreate(plan("x_ops"), err) }
	populate := func(ops string, err error) error { return explainPopulate(plan(ops), err) }
	attach := func(ops string, err error) error { return explainAttach("m", ops, err) }
	for _, tc := range []struct {
		explain func(string, error) error
		opsType string
		errno   syscall.Errno
		want    string
	}{
		{create, "", syscall.EPERM, `map "m": create for x_ops: CAP_BPF is needed`},
		{create, "", errENOTSUPP, "no subsystem of this kernel has registered it"},
		{create, "", syscall.EINVAL, "Linux 6.4"},
		{create, "", syscall.EBADF, "is gone"},
		{create, "", syscall.EACCES, "the object's BTF is missing"},
		{create, "", syscall.E2BIG, "Linux 6.9"},
		{populate, "x_ops", syscall.EBUSY, "a struct_ops map is filled once"},
		{populate, "sched_ext_ops", syscall.EBUSY, "another scheduler is running"},
		{populate, "x_ops", syscall.EEXIST, "the name is taken"},
		{populate, "bpf_dummy_ops", syscall.ENOTSUP, "for test runs"},
		{populate, "x_ops", syscall.ENOTSUP, "use .struct_ops.link"},
		{populate, "sched_ext_ops", syscall.E2BIG, "timeout_ms"},
		{populate, "x_ops", syscall.E2BIG, "trampoline pages"},
		{populate, "x_ops", syscall.EBADF, "is closed"},
		{populate, "x_ops", syscall.EINVAL, "(callbacks given: init, exit)"},
		{populate, "tcp_congestion_ops", syscall.EINVAL, "undo_cwnd"},
		{populate, "hid_bpf_ops", syscall.EINVAL, "flags"},
		{attach, "x_ops", syscall.EEXIST, "the name is taken"},
		{attach, "sched_ext_ops", syscall.EBUSY, "another scheduler is running"},
		{attach, "sched_ext_ops", syscall.EINVAL, "SCX_OPS_ENQ_LAST"},
		{attach, "hid_bpf_ops", syscall.EINVAL, "set hid_id before load"},
		{attach, "hid_bpf_ops", syscall.E2BIG, "64"},
		{attach, "x_ops", syscall.EINVAL, "is not populated"},
		{attach, "x_ops", syscall.ENODEV, "no such device"},
		{attach, "x_ops", syscall.ENOMEM, `map "m": attach x_ops: cannot allocate memory`},
	} {
		wantError(t, tc.explain(tc.opsType, tc.errno), tc.errno, tc.want)
	}
}

func TestExplainMap(t *testing.T) {
	spec := &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 24, MaxEntries: 8}
	for errno, want := range map[syscall.Errno]string{
		syscall.EPERM: "CAP_BPF", syscall.EACCES: "read-only", errENOTSUPP: "maps of this type", syscall.EOPNOTSUPP: "maps of this type",
		syscall.EINVAL: "too old", syscall.ENOENT: "contains:", syscall.E2BIG: "larger", syscall.ENOMEM: "larger",
		syscall.EMFILE: "too many open files",
	} {
		wantError(t, explainMap("m", spec, errno), errno, `map "m": create Hash of 8 * (4 + 24) bytes: `, want)
	}
}

func TestExplainProgram(t *testing.T) {
	l := &loader{
		obj:     &Object{},
		externs: &kfunc.Resolution{},
		plan:    &Plan{Maps: []MapPlan{{OpsType: "x_ops", Slots: []Slot{{Member: "init", Program: "p"}}}}},
	}
	for _, tc := range []struct {
		ops   bool
		errno syscall.Errno
		log   string
		want  string
	}{
		{true, errENOTSUPP, "", `program "p": load program: member "init" of x_ops: the kernel knows no such ops type`},
		{true, errENOTSUPP, "attach_btf_id 7 is not a supported struct", "no subsystem of this kernel has registered"},
		{true, errENOTSUPP, "attach to unsupported member init of struct x_ops", "leave the member NULL"},
		{true, syscall.EINVAL, "attach to unsupported member init of struct x_ops", "sleepable"},
		{true, syscall.EINVAL, "struct ops programs must have a GPL compatible license", `license ""`},
		{false, syscall.EPERM, "", "run as root"},
		{false, syscall.EFAULT, "x", "verifier bug"},
		{false, syscall.EACCES, "calling kernel function strlen is not allowed", "no kfunc that programs of this type may call"},
		{false, syscall.ENOENT, "ldimm64 failed to find the address for kernel symbol 'x'.", "CONFIG_KALLSYMS_ALL"},
		{false, syscall.E2BIG, "too many different kernel function calls", "256 different kfuncs"},
		{false, syscall.EINVAL, "invalid func unknown#195896080", "CO-RE"},
		{false, syscall.EACCES, "0: (18) r10 = 0xbad2310\nframe pointer is read only", "CO-RE"},
		{false, syscall.EACCES, "0: (18) r10 = 0xbed48a0\nframe pointer is read only", "optional map"},
		{false, errENOTSUPP, "JIT is required for calling kernel function", "bpf_jit_enable"},
		{false, errENOTSUPP, "calling kernel function is not supported without CONFIG_DEBUG_INFO_BTF", "kernel with CONFIG_DEBUG_INFO_BTF"},
		{false, syscall.EACCES, "destructive kfunc calls require CAP_SYS_BOOT capability", "run it with CAP_SYS_BOOT"},
		{false, syscall.EACCES, "program must be sleepable to call sleepable kfunc f", "struct_ops.s"},
		{false, syscall.EINVAL, "helper call might sleep in a non-sleepable prog", "struct_ops.s"},
		{false, syscall.E2BIG, "too many different module BTFs", "256 modules"},
		{false, syscall.E2BIG, "BPF program is too large. Processed 1000001 insn", "bound its loops"},
		{false, syscall.E2BIG, "The sequence of 8193 jumps is too complex.", "more branches"},
		{false, syscall.E2BIG, "", "more instructions"},
		{false, syscall.ENXIO, "", "is going away"},
		{false, syscall.EINVAL, "number of funcs in func_info doesn't match number of subprogs", "compile all of it with -g"},
		{false, syscall.EINVAL, "", "is it too old?"},
		{false, syscall.EINVAL, "math between fp pointer and register", "what its log ends with, print the error with %+v for all of it: invalid argument: math between"},
		{false, syscall.EACCES, "R1 invalid mem access 'scalar'", `what its log ends with, print the error with %+v for all of it: permission denied: R1 invalid mem access`},
	} {
		p := &program{name: "p", spec: &ebpf.ProgramSpec{Instructions: asm.Instructions{asm.Return()}}}
		if tc.ops {
			p.ops = &ProgramPlan{}
		}
		p.attr = newProgLoad(tc.log)
		err := l.explainProgram(p, tc.errno)
		wantError(t, err, tc.errno, tc.want)
		var ve *ebpf.VerifierError
		if !errors.As(err, &ve) || tc.log != "" && len(ve.Log) == 0 {
			t.Errorf("%s: verifier error %+v", tc.want, ve)
		}
		if tc.errno == errENOTSUPP && !errors.Is(err, ebpf.ErrNotSupported) {
			t.Errorf("ENOTSUPP is not ErrNotSupported: %v", err)
		}
	}
}

func newProgLoad(log string) *sys.ProgLoad { return &sys.ProgLoad{Log: append([]byte(log), 0)} }
