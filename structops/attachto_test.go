package structops

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"

	"github.com/ebpfx/ebpfx/btfx"
	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// TestAttachTo compares what programs attach to with what upstream's index of
// the running kernel says.
func TestAttachTo(t *testing.T) {
	needKernel(t)
	types, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	k, err := btfx.LoadKernel()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		typ      ebpf.ProgramType
		attach   ebpf.AttachType
		to, name string
		kind     btf.Type
	}{
		{ebpf.Tracing, ebpf.AttachTraceFEntry, "bpf_prog_put", "bpf_prog_put", (*btf.Func)(nil)},
		{ebpf.Tracing, ebpf.AttachTraceFExit, "bpf_prog_put", "bpf_prog_put", (*btf.Func)(nil)},
		{ebpf.Tracing, ebpf.AttachModifyReturn, "bpf_prog_put", "bpf_prog_put", (*btf.Func)(nil)},
		{ebpf.Tracing, ebpf.AttachTraceIter, "bpf_map", "bpf_iter_bpf_map", (*btf.Func)(nil)},
		{ebpf.Tracing, ebpf.AttachTraceRawTp, "sched_switch", "btf_trace_sched_switch", (*btf.Typedef)(nil)},
		{ebpf.LSM, ebpf.AttachLSMMac, "socket_bind", "bpf_lsm_socket_bind", (*btf.Func)(nil)},
		{ebpf.LSM, ebpf.AttachLSMCgroup, "socket_bind", "bpf_lsm_socket_bind", (*btf.Func)(nil)},
		{ebpf.Kprobe, ebpf.AttachNone, "bpf_prog_put", "", nil},
		{ebpf.TracePoint, ebpf.AttachNone, "sched/sched_switch", "", nil},
		{ebpf.RawTracepoint, ebpf.AttachNone, "sched_switch", "", nil},
		{ebpf.XDP, ebpf.AttachXDP, "", "", nil},
		{ebpf.Syscall, ebpf.AttachNone, "", "", nil},
		{ebpf.CGroupSKB, ebpf.AttachCGroupInetEgress, "", "", nil},
	} {
		t.Run(tc.typ.String()+" "+tc.attach.String(), func(t *testing.T) {
			var want btf.TypeID
			if tc.kind != nil {
				typ := tc.kind
				if err := types.TypeByName(tc.name, &typ); errors.Is(err, btf.ErrNotFound) {
					t.Skipf("older than Linux 6.12: no %s", tc.name)
				} else if err != nil {
					t.Fatal(err)
				}
				if want, err = types.TypeID(typ); err != nil {
					t.Fatal(err)
				}
			}
			p := &program{attr: new(sys.ProgLoad), spec: &ebpf.ProgramSpec{Type: tc.typ, AttachType: tc.attach, AttachTo: tc.to}}
			if err := p.attachTo(&loader{opts: Options{Kernel: k}}); err != nil {
				t.Fatal(err)
			}
			if got := btf.TypeID(p.attr.AttachBTFID); got != want || p.attr.AttachFD != 0 {
				t.Errorf("attach_btf_id %d in %d, want %d in 0", got, p.attr.AttachFD, want)
			}
		})
	}
}

func TestAttachToMissing(t *testing.T) {
	k := imaginaryKernel(t, tInt)
	p := &program{attr: new(sys.ProgLoad), spec: &ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFEntry, AttachTo: "nowhere",
	}}
	wantError(t, p.attachTo(&loader{opts: Options{Kernel: k}}), ebpf.ErrNotSupported, "kernel has no nowhere")
}

// TestFindTarget: a target may name its module. What is in modules is tested on a
// kernel that has some.
func TestFindTarget(t *testing.T) {
	k := imaginaryKernel(t, &btf.Func{Name: "shared", Type: &btf.FuncProto{Return: &btf.Void{}}, Linkage: btf.GlobalFunc})
	got := make(map[string]string)
	for _, target := range []string{"shared", "own", "vmlinux:shared", "vmlinux:own", "other:shared"} {
		ref, err := findTarget(k, btfx.KindFunc, "", target)
		got[target] = fmt.Sprint(ref)
		if err != nil {
			got[target] = err.Error()
		}
	}
	want := map[string]string{
		"shared": "{ 1}", "vmlinux:shared": "{ 1}",
		"own":          `FUNC "own": not found in kernel BTF`,
		"vmlinux:own":  `vmlinux: FUNC "own": not found in its BTF`,
		"other:shared": `module "other": BTF: not found`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAttachToNothing: what needs a target and has none says so. The kernel would
// answer EPERM.
func TestAttachToNothing(t *testing.T) {
	k := imaginaryKernel(t, tInt)
	for _, tc := range []struct {
		section string
		typ     ebpf.ProgramType
		attach  ebpf.AttachType
		want    string
	}{
		{"fentry", ebpf.Tracing, ebpf.AttachTraceFEntry, `section "fentry" does not say what to attach to: set AttachTo`},
		{"lsm", ebpf.LSM, ebpf.AttachLSMMac, `section "lsm" does not say what to attach to: set AttachTo`},
		{"freplace", ebpf.Extension, ebpf.AttachNone, `section "freplace" replaces a function of another program: set AttachTarget`},
	} {
		p := &program{attr: new(sys.ProgLoad), spec: &ebpf.ProgramSpec{SectionName: tc.section, Type: tc.typ, AttachType: tc.attach}}
		wantError(t, p.attachTo(&loader{opts: Options{Kernel: k}}), nil, tc.want)
	}
}

// TestSpecialFields finds what makes a map need the object's BTF.
func TestSpecialFields(t *testing.T) {
	lock := &btf.Struct{Name: "bpf_spin_lock", Size: 4}
	kptr := &btf.Pointer{Target: &btf.TypeTag{Value: "kptr", Type: &btf.Struct{Name: "item"}}}
	loop := &btf.Struct{Name: "loop", Size: 8}
	loop.Members = []btf.Member{{Name: "loop", Type: loop}}
	got := make(map[string]bool)
	for name, typ := range map[string]btf.Type{
		"int":             tInt,
		"struct":          layout("plain", btf.Member{Name: "a", Type: tInt}),
		"pointer to lock": &btf.Pointer{Target: lock},
		"loop":            loop,
		"lock":            layout("value", btf.Member{Name: "l", Type: &btf.Typedef{Name: "t", Type: lock}}),
		"array of kptrs":  &btf.Array{Index: tInt, Type: &btf.Const{Type: kptr}, Nelems: 2},
		"section":         &btf.Datasec{Vars: []btf.VarSecinfo{{Type: &btf.Var{Type: lock}}}},
		"union":           &btf.Union{Members: []btf.Member{{Type: kptr}}},
	} {
		got[name] = needsObjectBTF(&ebpf.MapSpec{Value: typ})
	}
	got["inner map"] = needsObjectBTF(&ebpf.MapSpec{InnerMap: &ebpf.MapSpec{Value: lock}})
	want := map[string]bool{
		"int": false, "struct": false, "pointer to lock": false, "loop": false,
		"lock": true, "array of kptrs": true, "section": true, "union": true, "inner map": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestReplaceProgram loads a program that replaces a function of another one,
// where the kernel lets upstream do it.
func TestReplaceProgram(t *testing.T) {
	needLinks(t)
	target := mustLoad(t, openGolden(t, "subprog_freplace"), nil).Programs["entry"]

	spec, err := ebpf.LoadCollectionSpec(golden("structops_freplace-el.elf"))
	if err != nil {
		t.Fatal(err)
	}
	spec.Programs["replacement"].AttachTarget = target
	upstream, refused := ebpf.NewCollection(spec)
	if refused == nil {
		upstream.Close()
	}

	obj := openGolden(t, "freplace")
	obj.Spec.Programs["replacement"].AttachTarget = target
	coll, err := obj.Load(nil)
	if (err == nil) != (refused == nil) {
		t.Fatalf("%v, upstream: %v", err, refused)
	}
	if err != nil {
		return
	}
	defer coll.Close()
	if typ := coll.Programs["replacement"].Type(); typ != ebpf.Extension {
		t.Errorf("type %v", typ)
	}
}

// TestEncodeMove proves that the offset of a move survives, which makes it an
// addr_space_cast, and that asm still loses it.
func TestEncodeMove(t *testing.T) {
	cast := asm.Mov.Reg(asm.R1, asm.R2)
	cast.Offset, cast.Constant = 1, 1
	p := &program{spec: &ebpf.ProgramSpec{Instructions: asm.Instructions{asm.LoadImm(asm.R2, 1, asm.DWord), cast, asm.Return()}}}
	raw, err := p.encode()
	if err != nil {
		t.Fatal(err)
	}
	if got := hostOrder().Uint16(raw[16+2:]); got != 1 {
		t.Errorf("offset %d, want 1", got)
	}
}

func TestRoundRingBuf(t *testing.T) {
	needKernel(t)
	for size, want := range map[uint32]uint32{0: 0, 1000: 4096, 4096: 4096, 163840: 262144} {
		m := &ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: size}
		outer := &ebpf.MapSpec{Type: ebpf.ArrayOfMaps, MaxEntries: 3, InnerMap: m}
		roundRingBuf(outer)
		if m.MaxEntries != want || outer.MaxEntries != 3 {
			t.Errorf("%d: rounded to %d, want %d", size, m.MaxEntries, want)
		}
	}
}
