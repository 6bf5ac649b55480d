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
		{false, syscall.EACCES, "R1 invalid mem access 'scalar'", `program "p": load program: permission denied: R1 invalid mem access`},
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
