package structops

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
)

// openShadow opens testdata/shadow_values in one byte order.
func openShadow(t testing.TB, order string) *Object {
	t.Helper()
	obj, err := openFile(golden("shadow_values-" + order + ".elf"))
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

func TestSetProgram(t *testing.T) {
	ops := openShadow(t, "el").Ops["values"]
	for _, tc := range []struct{ member, program, want string }{
		{"first", "filter", `program "filter" in section "tc" has type SchedCLS, not struct_ops: set its Type first`},
		{"first", "nope", `no program "nope", struct_ops programs are: first, nothing, second, spare, spare_nothing`},
		{"nope", "first", `struct shadow_ops has no member "nope", it has: first`},
		{"u32", "first", `member "u32" is u32, not a callback: use Set`},
		{"target", "first", `member "target" is struct point *, not a callback`},
		{"other", "second", `program "second": it is written for "u32 same(u64, void *)", and the member is "void other(u64)"`},
		{"first", "spare_nothing", `it is "void spare_nothing(u64 *ctx)" and returns nothing, the member is "u32 first(u64, void *)"`},
	} {
		wantError(t, ops.SetProgram(tc.member, tc.program), nil, `map "values": `, tc.want)
	}
	for _, program := range []string{"second", "spare", "first"} {
		if err := ops.SetProgram("first", program); err != nil {
			t.Error(err)
		}
		if got, err := ops.Program("first"); got != program || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, program)
		}
	}
	if err := ops.Clear("first"); err != nil {
		t.Error(err)
	}
	if got, err := ops.Program("first"); got != "" || err != nil {
		t.Errorf("got %q, %v; want none", got, err)
	}
	if err := ops.Clear("point.y"); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]uint16{0, 0, 0}, must(ops.Get("point.y"))); diff != "" {
		t.Error(diff)
	}
	if err := ops.Clear("negative"); err != nil || must(ops.Get("negative")) != int32(0) || must(ops.Get("three")) != uint32(5) {
		t.Errorf("clear of a bitfield: %v", err)
	}
}

func TestMembers(t *testing.T) {
	var got []string
	for _, m := range openShadow(t, "el").Ops["values"].Members() {
		switch {
		case m.Callback:
			got = append(got, m.Name+"="+m.Program)
		case m.Value == nil:
			t.Errorf("member %q has no value", m.Name)
		default:
			got = append(got, m.Name)
		}
	}
	want := "first=first same=second other=nothing i8 u8 i16 u16 i32 u32 i64 u64 flag letter name raw colour signed_colour wide " +
		"point points grid split  data target three signed_bits_above negative"
	if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

// TestNilOps proves that a wrong name gives an error and no panic.
func TestNilOps(t *testing.T) {
	obj := openShadow(t, "el")
	missing := obj.Ops["nope"]
	_, getErr := missing.Get("u32")
	_, programErr := missing.Program("first")
	_, asErr := As[uint32](missing, "u32")
	for _, err := range []error{
		missing.Set("u32", 1), getErr, asErr, missing.SetProgram("first", "first"), programErr, missing.Clear("u32"), missing.SetAutocreate(true),
	} {
		wantError(t, err, nil, "no struct_ops map of that name", "Object.Shadow")
	}
	if missing.Members() != nil {
		t.Error("members of nothing")
	}
	_, err := obj.Shadow("nope")
	wantError(t, err, nil, `no struct_ops map "nope", the object has: values`)
	ops, err := obj.Shadow("values")
	if err != nil || ops != obj.Ops["values"] {
		t.Errorf("got %p, %v", ops, err)
	}
}

// TestCopyIsolates edits a copy, and the programs of the copy, only.
func TestCopyIsolates(t *testing.T) {
	obj := openShadow(t, "el")
	before := wiringOf(obj)
	cpy := obj.Copy()
	ops := cpy.Ops["values"]
	cpy.Spec.Programs["extra"] = &ebpf.ProgramSpec{Name: "extra", Type: ebpf.StructOps}
	for _, err := range []error{
		ops.Set("u32", 1000), ops.Set("name", "copy"), ops.SetProgram("first", "extra"), ops.Clear("other"), ops.SetAutocreate(false),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, wiringOf(obj)); diff != "" {
		t.Errorf("the original has changed (-want +got):\n%s", diff)
	}
	wantError(t, obj.Ops["values"].SetProgram("first", "extra"), nil, `no program "extra"`)
}

// TestShadowReachesKernel loads and attaches what was edited.
func TestShadowReachesKernel(t *testing.T) {
	needLinks(t)
	obj := openGolden(t, "two")
	ops := obj.Ops["first"]
	if err := ops.Set("name", "ebpfx_shadow"); err != nil {
		t.Fatal(err)
	}
	if err := ops.SetProgram("init", "init_second"); err != nil {
		t.Fatal(err)
	}
	if err := ops.Clear("release"); err != nil {
		t.Fatal(err)
	}
	coll := mustLoad(t, obj, nil)
	for _, name := range []string{"init_first", "release_first"} {
		if coll.Programs[name] != nil {
			t.Errorf("program %q is loaded", name)
		}
	}
	mustAttach(t, coll, "first")
	if !strings.Contains(congestionControls(t), "ebpfx_shadow") {
		t.Error("not registered under its new name")
	}
	want := map[string]string{"ssthresh": "ssthresh", "cong_avoid": "cong_avoid", "undo_cwnd": "undo_cwnd", "init": "init_second"}
	if diff := cmp.Diff(want, programsIn(t, coll, "first")); diff != "" {
		t.Errorf("programs in the kernel (-want +got):\n%s", diff)
	}
}
