package structops

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/google/go-cmp/cmp"

	"github.com/ebpfx/ebpfx/btfx"
)

// needKernel skips tests that load something where that is not possible.
func needKernel(t testing.TB) {
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
	needKernel(t)
	k, err := btfx.LoadKernel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Find(btfx.KindStruct, "bpf_struct_ops_link"); errors.Is(err, btf.ErrNotFound) {
		t.Skip("needs Linux 6.4: this kernel has no BPF links for struct_ops")
	}
}

// wantError checks what an error wraps and says.
func wantError(t testing.TB, err, is error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("error does not wrap %q: %v", is, err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error:\n%v\nshould contain:\n%s", err, w)
		}
	}
}

// mustLoad loads an object and closes it at the end of the test.
func mustLoad(t testing.TB, obj *Object, opts *Options) *Collection {
	t.Helper()
	coll, err := obj.Load(opts)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(coll.Close)
	return coll
}

// mustAttach attaches a map until the end of the test.
func mustAttach(t testing.TB, coll *Collection, name string) *Link {
	t.Helper()
	lnk, err := coll.Attach(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lnk.Close(); err != nil {
			t.Error(err)
		}
	})
	return lnk
}

// programsIn reads the callbacks of a populated map back: the name of the
// program whose ID the kernel shows in each slot.
func programsIn(t testing.TB, coll *Collection, name string) map[string]string {
	t.Helper()
	o, err := coll.opsMap(name)
	if err != nil {
		t.Fatal(err)
	}
	value := make([]byte, o.ValueSize)
	if err := o.m.Lookup(uint32(0), &value); err != nil {
		t.Fatal(err)
	}
	byID := make(map[ebpf.ProgramID]string)
	for name, prog := range coll.Programs {
		info, err := prog.Info()
		if err != nil {
			t.Fatal(err)
		}
		id, _ := info.ID()
		byID[id] = name
	}
	k, err := btfx.LoadKernel()
	if err != nil {
		t.Fatal(err)
	}
	typ, err := k.Type(o.ValueRef)
	if err != nil {
		t.Fatal(err)
	}
	kern := &opsType{value: typ.(*btf.Struct)}
	if err := kern.locate(o.OpsType); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, m := range kern.ops.Members {
		if !isCallback(m.Type) {
			continue
		}
		if id := binary.NativeEndian.Uint64(value[kern.dataOffset+m.Offset.Bytes():]); id != 0 {
			got[m.Name] = byID[ebpf.ProgramID(id)]
		}
	}
	return got
}

// TestLoadTwo loads two maps of one type again and again, and reads from the
// kernel which program each slot has.
func TestLoadTwo(t *testing.T) {
	needLinks(t)
	want := map[string]map[string]string{
		"first":  {"ssthresh": "ssthresh", "cong_avoid": "cong_avoid", "undo_cwnd": "undo_cwnd", "init": "init_first", "release": "release_first"},
		"second": {"ssthresh": "ssthresh", "cong_avoid": "cong_avoid", "undo_cwnd": "undo_cwnd", "init": "init_second"},
	}
	obj := openGolden(t, "two")
	k, err := btfx.LoadKernel()
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		coll, err := obj.Load(&Options{Kernel: k})
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]map[string]string)
		for name := range want {
			if err := coll.ops[name].populate(); err != nil {
				t.Fatal(err)
			}
			got[name] = programsIn(t, coll, name)
		}
		coll.Close()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("callbacks (-want +got):\n%s", diff)
		}
	}
}

// TestCanaryTwoMaps proves that upstream still mixes the callbacks of two maps
// of one type.
func TestCanaryTwoMaps(t *testing.T) {
	needLinks(t)
	for range 20 {
		spec, err := ebpf.LoadCollectionSpec(golden("structops_two-el.elf"))
		if err != nil {
			t.Fatal(err)
		}
		coll, err := ebpf.NewCollection(spec)
		if err != nil {
			t.Logf("upstream refuses: %v", err)
			return
		}
		wrong := releaseOf(t, coll.Maps["second"]) != 0
		coll.Close()
		if wrong {
			return
		}
	}
	t.Error("upstream wires two maps of one type correctly: ErrAmbiguous in fromspec.go can be deleted")
}

// releaseOf returns the program ID in the slot "release" of a populated map.
func releaseOf(t testing.TB, m *ebpf.Map) uint64 {
	t.Helper()
	k, err := btfx.LoadKernel()
	if err != nil {
		t.Fatal(err)
	}
	kern, err := findOpsType("tcp_congestion_ops", k)
	if err != nil {
		t.Fatal(err)
	}
	value := make([]byte, m.ValueSize())
	if err := m.Lookup(uint32(0), &value); err != nil {
		t.Fatal(err)
	}
	for _, member := range kern.ops.Members {
		if member.Name == "release" {
			return binary.NativeEndian.Uint64(value[kern.dataOffset+member.Offset.Bytes():])
		}
	}
	t.Fatal("no member release")
	return 0
}

// TestAttach attaches what libbpf attaches, and what it refuses without reason.
func TestAttach(t *testing.T) {
	needLinks(t)
	for name, maps := range map[string][]string{
		"one": {"one"}, "two": {"first", "second"}, "flavor": {"flavored"}, "static": {"one"}, "static_var": {"local_one", "local_two"},
		"const_var": {"constant"}, "core": {"one"}, "globals": {"one"}, "kfuncs": {"one"}, "large": {"large"}, "maps": {"one"},
		"newer_member": {"newer"}, "optional": {"normal"}, "reuse_same": {"first", "second"}, "subprog": {"one"},
		"typedef_var": {"typedefed"}, "optional_program": {"one"}, "optional_unknown": {"normal"}, "progarray": {"one"}, "outer": {"one"},
	} {
		t.Run(name, func(t *testing.T) {
			coll := mustLoad(t, openGolden(t, name), nil)
			for _, m := range maps {
				lnk := mustAttach(t, coll, m)
				info, err := lnk.Info()
				if err != nil {
					t.Fatal(err)
				}
				if info.Type != link.StructOpsType {
					t.Errorf("map %q: link type %v", m, info.Type)
				}
			}
			for name := range openGolden(t, name).Ops {
				if coll.ops[name] != nil && !coll.ops[name].populated {
					t.Errorf("map %q was created, but is not in this test", name)
				}
			}
		})
	}
}

// TestAttachLegacy registers a map without a link, and unregisters it.
func TestAttachLegacy(t *testing.T) {
	needKernel(t)
	coll := mustLoad(t, openGolden(t, "legacy"), nil)
	if strings.Contains(congestionControls(t), "ebpfx_legacy") {
		t.Fatal("registered by load")
	}
	lnk, err := coll.Attach("legacy")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(congestionControls(t), "ebpfx_legacy") {
		t.Error("not registered after attach")
	}
	wantError(t, lnk.Pin("/sys/fs/bpf/x"), ebpf.ErrNotSupported, ".struct_ops.link")
	_, err = lnk.Info()
	wantError(t, err, ebpf.ErrNotSupported)
	if err := lnk.Close(); err != nil {
		t.Error(err)
	}
	if strings.Contains(congestionControls(t), "ebpfx_legacy") {
		t.Error("still registered after close")
	}
	if err := lnk.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func congestionControls(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLoadErrors checks phase, errno and words of what the kernel refuses.
func TestLoadErrors(t *testing.T) {
	needLinks(t)
	for _, tc := range []struct {
		object string
		is     error
		want   []string
	}{
		{"nogpl", syscall.EINVAL, []string{`program "`, "GPL"}},
		{"log", syscall.EACCES, []string{`program "`, "invalid mem access"}},
		{"unsupported_member", ebpf.ErrNotSupported, []string{`"get_info"`, "leave the member NULL"}},
		{"sleepable", syscall.EINVAL, []string{`"test_1" of bpf_dummy_ops`, "only some callbacks may be sleepable"}},
		{"lookalike", nil, []string{`map "`, "common_value"}},
	} {
		t.Run(tc.object, func(t *testing.T) {
			_, err := openGolden(t, tc.object).Load(nil)
			wantError(t, err, tc.is, tc.want...)
		})
	}
}

// TestAttachErrors checks what the kernel refuses when the value is set.
func TestAttachErrors(t *testing.T) {
	needLinks(t)
	for object, want := range map[string]string{
		"incomplete": "a mandatory callback is missing",
		"nested":     "a value that BPF may not give",
		"noname":     "name is not set",
	} {
		t.Run(object, func(t *testing.T) {
			coll := mustLoad(t, openGolden(t, object), nil)
			_, err := coll.Attach("one")
			wantError(t, err, syscall.EINVAL, `map "one": populate tcp_congestion_ops`, want)
		})
	}
}

func TestAttachTaken(t *testing.T) {
	needLinks(t)
	obj := openGolden(t, "one")
	mustAttach(t, mustLoad(t, obj, nil), "one")
	_, err := mustLoad(t, obj, nil).Attach("one")
	wantError(t, err, syscall.EEXIST, `map "one"`, "the name is taken")
}

func TestAttachUnknown(t *testing.T) {
	needLinks(t)
	_, err := mustLoad(t, openGolden(t, "two"), nil).Attach("third")
	wantError(t, err, nil, `no struct_ops map "third", there are: first, second`)
}

func TestVerifierError(t *testing.T) {
	needLinks(t)
	var ve *ebpf.VerifierError
	_, err := openGolden(t, "log").Load(nil)
	if !errors.As(err, &ve) || len(ve.Log) == 0 {
		t.Fatalf("no verifier error with a log: %v", err)
	}
	opts := &Options{}
	opts.Programs.LogDisabled = true
	_, err = openGolden(t, "log").Load(opts)
	if errors.As(err, &ve) && len(ve.Log) != 0 {
		t.Errorf("log although it is disabled: %v", ve.Log)
	}
	opts = &Options{}
	opts.Programs.LogLevel = ebpf.LogLevelBranch | ebpf.LogLevelStats
	coll := mustLoad(t, openGolden(t, "one"), opts)
	for name, prog := range coll.Programs {
		if !strings.Contains(prog.VerifierLog, "processed") {
			t.Errorf("program %q: no verifier log", name)
		}
	}
}

// TestLoadRefusedBTF loads an object whose BTF the kernel refuses, without, and
// refuses one with struct_ops maps, which needs it.
func TestLoadRefusedBTF(t *testing.T) {
	needLinks(t)
	coll := mustLoad(t, openGolden(t, "refused_btf"), nil)
	wantError(t, coll.BTFRefusal, syscall.EINVAL, "object BTF", "ENUM declared", "only declared needs its values")
	if err := coll.Maps["numbers"].Put(uint32(0), uint64(2)); err != nil {
		t.Fatal(err)
	}
	ret, err := coll.Programs["prog"].Run(&ebpf.RunOptions{Data: make([]byte, 64)})
	if err != nil || ret != 42 {
		t.Errorf("returned %d, %v, want 42", ret, err)
	}
	_, err = openGolden(t, "refused_btf_ops").Load(nil)
	wantError(t, err, syscall.EINVAL, "object BTF", "ENUM declared")

	if coll := mustLoad(t, openGolden(t, "optional_program"), nil); coll.BTFRefusal != nil {
		t.Errorf("refused BTF of an ordinary object: %v", coll.BTFRefusal)
	}
}

// TestLoadUnknownSection: what tells no program type is an error, unless it is
// optional or the caller knows better.
func TestLoadUnknownSection(t *testing.T) {
	needKernel(t)
	obj := openGolden(t, "unknown_section")
	_, err := obj.Load(nil)
	wantError(t, err, nil, `program "custom": section "ebpfx" tells no program type: set Type`)
	obj.Spec.Programs["custom"].Type = ebpf.SocketFilter
	coll := mustLoad(t, obj, nil)
	if len(coll.Programs) != 1 || coll.Programs["custom"] == nil {
		t.Errorf("loaded %v", coll.Programs)
	}
}

// TestLoadAbsentTypes runs what CO-RE makes of a type that the kernel lacks.
func TestLoadAbsentTypes(t *testing.T) {
	needKernel(t)
	kernelTypes, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	given := &Options{}
	given.Programs.KernelTypes = kernelTypes
	for name, opts := range map[string]*Options{"the kernel's types": nil, "given types": given} {
		coll := mustLoad(t, must(openFile(golden("core_absent-el.elf"))), opts)
		ret, err := coll.Programs["prog"].Run(&ebpf.RunOptions{Data: make([]byte, 64)})
		if err != nil || ret != 110 {
			t.Errorf("%s: returned %d, %v, want 110", name, ret, err)
		}
	}
}

// TestErrorIsOfFirstProgram proves that parallel verification reports the same
// failure every time.
func TestErrorIsOfFirstProgram(t *testing.T) {
	needLinks(t)
	obj := openGolden(t, "two")
	for _, name := range []string{"init_second", "release_first", "undo_cwnd"} {
		obj.Spec.Programs[name].License = "Proprietary"
		obj.Spec.Programs[name].Instructions = openGolden(t, "log").Spec.Programs["ssthresh"].Instructions
	}
	for _, prog := range obj.Spec.Programs {
		// Enough for each verifier to get some.
		padding := slices.Repeat(asm.Instructions{asm.Mov.Imm(asm.R0, 0)}, perVerifier)
		padding[0].Metadata, prog.Instructions[0].Metadata = prog.Instructions[0].Metadata, asm.Metadata{}
		prog.Instructions = append(padding, prog.Instructions...)
	}
	for _, verifiers := range []int{1, 2, 8} {
		for range 5 {
			_, err := obj.Load(&Options{Verifiers: verifiers})
			wantError(t, err, nil, `program "init_second"`)
		}
	}
}

type twoObjects struct {
	First  *ebpf.Map `ebpf:"first"`
	Second *ebpf.Map `ebpf:"second"`
}

// TestLoadAndAssign covers structs that list the map, programs, or both.
func TestLoadAndAssign(t *testing.T) {
	needLinks(t)
	spec := func() *ebpf.CollectionSpec {
		s, err := ebpf.LoadCollectionSpec(golden("structops_one-el.elf"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Run("map", func(t *testing.T) {
		var objs struct {
			One *ebpf.Map `ebpf:"one"`
		}
		if err := LoadAndAssign(spec(), &objs, nil); err != nil {
			t.Fatal(err)
		}
		defer objs.One.Close()
		lnk, err := Attach(objs.One)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(congestionControls(t), "ebpfx_one") {
			t.Error("not registered")
		}
		if err := lnk.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("programs", func(t *testing.T) {
		var objs struct {
			Ssthresh *ebpf.Program `ebpf:"ssthresh"`
		}
		if err := LoadAndAssign(spec(), &objs, nil); err != nil {
			t.Fatal(err)
		}
		defer objs.Ssthresh.Close()
		if objs.Ssthresh.Type() != ebpf.StructOps {
			t.Errorf("type %v", objs.Ssthresh.Type())
		}
	})
	t.Run("both", func(t *testing.T) {
		var objs struct {
			Maps struct {
				One *ebpf.Map `ebpf:"one"`
			}
			Ssthresh *ebpf.Program `ebpf:"ssthresh"`
		}
		if err := LoadAndAssign(spec(), &objs, nil); err != nil {
			t.Fatal(err)
		}
		objs.Maps.One.Close()
		objs.Ssthresh.Close()
	})
	t.Run("missing", func(t *testing.T) {
		var objs struct {
			X *ebpf.Map `ebpf:"nope"`
		}
		wantError(t, LoadAndAssign(spec(), &objs, nil), nil, `field X: missing map "nope"`)
	})
	t.Run("elf", func(t *testing.T) {
		path := golden("structops_two-el.elf")
		elf, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(elf))
		if err != nil {
			t.Fatal(err)
		}
		var objs twoObjects
		wantError(t, LoadAndAssign(s, &objs, nil), ErrAmbiguous)
		if err := LoadAndAssign(s, &objs, &Options{ELF: bytes.NewReader(elf)}); err != nil {
			t.Fatal(err)
		}
		defer objs.First.Close()
		defer objs.Second.Close()
		if releaseOf(t, objs.First) == 0 || releaseOf(t, objs.Second) != 0 {
			t.Error("release is in the wrong map")
		}
	})
	t.Run("optional", func(t *testing.T) {
		var objs struct {
			Left *ebpf.Map `ebpf:"left"`
		}
		if err := openGolden(t, "optional").LoadAndAssign(&objs, nil); err != nil {
			t.Fatal(err)
		}
		objs.Left.Close()
	})
	t.Run("legacy", func(t *testing.T) {
		var objs struct {
			Legacy *ebpf.Map `ebpf:"legacy"`
		}
		if err := openGolden(t, "legacy").LoadAndAssign(&objs, nil); err != nil {
			t.Fatal(err)
		}
		defer objs.Legacy.Close()
		_, err := Attach(objs.Legacy)
		wantError(t, err, ebpf.ErrNotSupported, "Collection.Attach")
	})
}

// TestOtherByteOrder refuses objects for another machine before anything is created.
func TestOtherByteOrder(t *testing.T) {
	other := "eb"
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		other = "el"
	}
	obj, err := openFile(golden("structops_one-" + other + ".elf"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = obj.Load(nil)
	wantError(t, err, nil, "byte order")
}

var _ io.Closer = (*Link)(nil)

// TestLoadEmptyProgram refuses a program without instructions.
func TestLoadEmptyProgram(t *testing.T) {
	needLinks(t)
	obj := openGolden(t, "one")
	obj.Spec.Programs["ssthresh"].Instructions = nil
	_, err := obj.Load(nil)
	wantError(t, err, nil, `program "ssthresh": no instructions`)
}
