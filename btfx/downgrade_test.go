package btfx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// allFeatures are those of a kernel from Linux 6.9 on.
var allFeatures = Features{Func: true, Datasec: true, Float: true, AnySection: true}

// everyKind returns raw BTF with all that is ever downgraded.
func everyKind(tb testing.TB, order binary.ByteOrder, more ...btf.Type) []byte {
	tb.Helper()
	number := &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	float := &btf.Float{Name: "double", Size: 8}
	named := &btf.FuncProto{Return: number, Params: []btf.FuncParam{{Name: "ctx", Type: number}}}
	unnamed := &btf.FuncProto{Return: number, Params: []btf.FuncParam{{Name: "ctx", Type: number}, {Type: number}}}
	a := &btf.Var{Name: "a", Type: number, Linkage: btf.GlobalVar}
	b := &btf.Var{Name: "b", Type: float, Linkage: btf.StaticVar}
	types := []btf.Type{
		number, float, a, b,
		&btf.Datasec{Name: "?.data.a/b", Size: 16, Vars: []btf.VarSecinfo{{Type: a, Size: 4}, {Type: b, Offset: 8, Size: 8}}},
		named, &btf.Func{Name: "fn", Type: named, Linkage: btf.StaticFunc},
		unnamed, &btf.Pointer{Target: unnamed},
	}
	builder, err := btf.NewBuilder(append(types, more...), nil)
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := builder.Marshal(nil, &btf.MarshalOptions{Order: order})
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func TestDowngrade(t *testing.T) {
	for _, test := range []struct {
		name string
		lose func(*Features)
		want map[btf.TypeID]string
	}{
		{"nothing", func(*Features) {}, map[btf.TypeID]string{}},
		{"float", func(f *Features) { f.Float = false }, map[btf.TypeID]string{
			2: `struct "" size 8`,
			4: `var "b" static struct ""`,
		}},
		{"section name", func(f *Features) { f.AnySection = false }, map[btf.TypeID]string{
			5: `datasec "_.data.a_b" size 16, 0+4 "a", 8+8 "b"`,
		}},
		{"datasec", func(f *Features) { f.Datasec, f.AnySection = false, false }, map[btf.TypeID]string{
			3: `int "a" size 1 unsigned`,
			4: `int "b" size 1 unsigned`,
			5: `struct "__data_a_b" size 16, 0 "a" int "a", 64 "b" int "b"`,
		}},
		{"func", func(f *Features) { f.Func = false }, map[btf.TypeID]string{
			6: `enum "" size 4, "ctx"`,
			7: `typedef "fn" enum ""`,
			8: `enum "" size 4, "ctx", "arg1"`,
			9: `pointer enum ""`,
		}},
		{"all", func(f *Features) { *f = Features{} }, map[btf.TypeID]string{
			2: `struct "" size 8`,
			3: `int "a" size 1 unsigned`,
			4: `int "b" size 1 unsigned`,
			5: `struct "__data_a_b" size 16, 0 "a" int "a", 64 "b" int "b"`,
			6: `enum "" size 4, "ctx"`,
			7: `typedef "fn" enum ""`,
			8: `enum "" size 4, "ctx", "arg1"`,
			9: `pointer enum ""`,
		}},
	} {
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			t.Run(test.name+"/"+order.String(), func(t *testing.T) {
				raw := everyKind(t, order)
				before := bytes.Clone(raw)
				features := allFeatures
				test.lose(&features)
				got, err := Downgrade(raw, features)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, changes(t, raw, got)); diff != "" {
					t.Errorf("types (-want +got):\n%s", diff)
				}
				if !bytes.Equal(raw, before) {
					t.Error("the input has changed")
				}
				if len(test.want) == 0 && !bytes.Equal(raw, got) {
					t.Error("a kernel that has everything gets something else")
				}
				if again, err := Downgrade(got, features); err != nil || !bytes.Equal(again, got) {
					t.Errorf("twice is not the same as once: %v", err)
				}
			})
		}
	}
}

// A section that describes the kinds, and the header that names it, go.
func TestDowngradeLayout(t *testing.T) {
	raw := everyKind(t, binary.LittleEndian)
	got, err := Downgrade(withLayout(t, raw), allFeatures)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, raw) {
		t.Error("the layout is still there")
	}
}

func TestDowngradeErrors(t *testing.T) {
	v := &btf.Var{Name: "far", Type: &btf.Int{Size: 1}}
	far := everyKind(t, binary.LittleEndian, &btf.Datasec{Name: ".bss", Size: 1 << 30, Vars: []btf.VarSecinfo{{Type: v, Offset: 1 << 29, Size: 1}}})
	for _, test := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"empty", nil, "BTF header: 0 bytes, want 24"},
		{"truncated", far[:len(far)-1], "BTF strings: "},
		{"far", far, `DATASEC ".bss": offset 536870912 is too large for a member of a STRUCT`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Downgrade(test.raw, Features{}); err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("error %q, want %q", err, test.want)
			}
		})
	}
}

// The running kernel takes what is made for one that knows nothing of it.
func TestDowngradeKernel(t *testing.T) {
	raws := map[string][]byte{"every kind": everyKind(t, nativeOrder())}
	for name, f := range nativeFiles(t) {
		raw, err := f.BTF()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if bytes.Contains(raw, []byte("\x00contains:")) {
			// Kernels that have lists and trees have decl tags and insist on them.
			continue
		}
		builder, err := NewBuilder(parseBTF(t, raw), false)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		// The rest of the downgrade is upstream's.
		raws[name], err = builder.Marshal(nil, &btf.MarshalOptions{Order: nativeOrder(), StripFuncLinkage: true, ReplaceDeclTags: true, ReplaceTypeTags: true, ReplaceEnum64: true})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for name, raw := range raws {
		lower, err := Downgrade(raw, Features{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := loadRaw(t, lower); err != nil {
			t.Errorf("%s: %+v", name, err)
		}
		e, err := newEditor(lower)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, r := range e.records[1:] {
			switch r.kind() {
			case recFunc, recFuncProto, recVar, recDatasec, recFloat:
				t.Errorf("%s: type %d has kind %s", name, r.id, Kind(r.kind()))
			}
		}
	}
}

func TestProbeFeatures(t *testing.T) {
	got, err := ProbeFeatures()
	if errors.Is(err, ebpf.ErrNotSupported) {
		t.Skip("loading BTF needs Linux and privilege:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	version := kernelVersion(t)
	want := Features{Func: version >= 500, Datasec: version >= 502, Float: version >= 513, AnySection: version >= 609}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("features (-want +got):\n%s", diff)
	}
}

// What the kernel refuses for another reason keeps the kernel's words.
func TestLoadBTF(t *testing.T) {
	good, err := btf.NewBuilder([]btf.Type{&btf.Float{Name: "double", Size: 8}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	handle, err := LoadBTF(good)
	if errors.Is(err, ebpf.ErrNotSupported) {
		t.Skip("loading BTF needs Linux and privilege:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	handle.Close()

	bad, err := btf.NewBuilder([]btf.Type{&btf.Var{Name: "a", Type: &btf.Int{Name: "int", Size: 4}, Linkage: btf.ExternVar}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LoadBTF(bad); !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "Linkage not supported") {
		t.Errorf("error %v", err)
	}
}

// kernelVersion returns the version of the running kernel, 6.9 as 609.
func kernelVersion(tb testing.TB) int {
	tb.Helper()
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		tb.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(release), "%d.%d", &major, &minor); err != nil {
		tb.Fatal(err)
	}
	return 100*major + minor
}
