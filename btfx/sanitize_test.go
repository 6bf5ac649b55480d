package btfx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// typesIn describes the types of raw BTF, as upstream parses it, by ID. Types
// that others refer to appear by kind and name.
func typesIn(tb testing.TB, raw []byte) map[btf.TypeID]string {
	tb.Helper()
	spec := parseBTF(tb, raw)
	out := make(map[btf.TypeID]string)
	for typ, err := range spec.All() {
		if err != nil {
			tb.Fatal(err)
		}
		id, err := spec.TypeID(typ)
		if err != nil {
			tb.Fatal(err)
		}
		out[id] = describe(typ)
	}
	return out
}

// parseBTF lets upstream parse raw BTF.
func parseBTF(tb testing.TB, raw []byte) *btf.Spec {
	tb.Helper()
	spec, err := btf.LoadSplitSpecFromReader(bytes.NewReader(raw), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return spec
}

// describe writes a type as text.
func describe(typ btf.Type) string {
	kind := func(typ btf.Type) string {
		name, _, _ := strings.Cut(strings.TrimPrefix(fmt.Sprintf("%T", typ), "*btf."), ":")
		return fmt.Sprintf("%s %q", strings.ToLower(name), typ.TypeName())
	}
	line := kind(typ)
	switch t := typ.(type) {
	case *btf.Int:
		line += fmt.Sprintf(" size %d %s", t.Size, t.Encoding)
	case *btf.Pointer:
		line = "pointer " + kind(t.Target)
	case *btf.Typedef:
		line += " " + kind(t.Type)
	case *btf.Func:
		line += " " + t.Linkage.String()
		if proto, ok := t.Type.(*btf.FuncProto); ok {
			for _, p := range proto.Params {
				line += fmt.Sprintf(" %q", p.Name)
			}
		}
	case *btf.Var:
		line += fmt.Sprintf(" %s %s", t.Linkage, kind(t.Type))
	case *btf.Datasec:
		line += fmt.Sprintf(" size %d", t.Size)
		for _, v := range t.Vars {
			line += fmt.Sprintf(", %d+%d %q", v.Offset, v.Size, v.Type.TypeName())
		}
	case *btf.Struct:
		line += fmt.Sprintf(" size %d", t.Size)
		for _, m := range t.Members {
			line += fmt.Sprintf(", %d %q %s", m.Offset, m.Name, kind(m.Type))
		}
	case *btf.Enum:
		line += fmt.Sprintf(" size %d", t.Size)
		for _, v := range t.Values {
			line += fmt.Sprintf(", %q", v.Name)
		}
	}
	return line
}

// changes describes the types of to that are new or not what they are in from.
func changes(tb testing.TB, from, to []byte) map[btf.TypeID]string {
	tb.Helper()
	got := typesIn(tb, to)
	for id, line := range typesIn(tb, from) {
		if _, ok := got[id]; !ok {
			tb.Errorf("type %d, %s, is gone", id, line)
		}
		if got[id] == line {
			delete(got, id)
		}
	}
	return got
}

// nativeOrder is the byte order of this machine.
func nativeOrder() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// nativeFiles returns the objects of this machine's byte order that have BTF:
// golden ones, upstream's, and those of the corpus beside the repository. Left out
// are those that show what happens when the kernel refuses BTF.
func nativeFiles(tb testing.TB) map[string]*File {
	tb.Helper()
	names := objectFiles(tb)
	rust, err := filepath.Glob("../testdata/rust/*.o")
	if err != nil {
		tb.Fatal(err)
	}
	names = append(names, rust...)
	err = filepath.WalkDir("../../shared/corpus/objects", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".o") {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		tb.Log("no corpus of objects beside the repository:", err)
	}

	files := make(map[string]*File)
	for _, name := range names {
		if strings.Contains(name, "refused_btf") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		f, err := NewFile(bytes.NewReader(b))
		if err != nil {
			tb.Logf("%s: %v", name, err)
			continue
		}
		if f.types != nil && f.ByteOrder == nativeOrder() {
			files[name] = f
		}
	}
	return files
}

// loadRaw loads raw BTF into the kernel and closes it again.
func loadRaw(tb testing.TB, raw []byte) error {
	tb.Helper()
	handle, err := btf.NewHandleFromRawBTF(raw)
	if errors.Is(err, ebpf.ErrNotSupported) {
		tb.Skip("loading BTF needs Linux and privilege:", err)
	}
	if err == nil {
		handle.Close()
	}
	return err
}

// lower makes raw BTF acceptable to this kernel, apart from what a test is about.
func lower(tb testing.TB, raw []byte) []byte {
	tb.Helper()
	features, err := ProbeFeatures()
	if errors.Is(err, ebpf.ErrNotSupported) {
		tb.Skip("loading BTF needs Linux and privilege:", err)
	}
	if err == nil {
		raw, err = Downgrade(raw, features)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func TestSanitizeExterns(t *testing.T) {
	for _, test := range []struct {
		object string
		want   map[btf.TypeID]string
	}{
		{"sanitize_externs", map[btf.TypeID]string{
			8:  `func "unnamed" global "dummy_ksym" "dummy_ksym"`,
			13: `func "variadic" global "dummy_ksym" ""`,
			22: `var "CONFIG_LONG" global typedef "u64"`,
			23: `var "CONFIG_INT" global int "int"`,
			25: `var "CONFIG_SHORT" global int "short"`,
			27: `var "CONFIG_TEXT" global array ""`,
			29: `var "CONFIG_BOOL" global int "_Bool"`,
			34: `var "typeless" global int "int"`,
			36: `var "typed" global int "int"`,
			40: `datasec ".kconfig" size 20, 0+8 "CONFIG_LONG", 8+4 "CONFIG_INT", 12+2 "CONFIG_SHORT", 14+1 "CONFIG_BOOL", 15+5 "CONFIG_TEXT"`,
			41: `datasec ".ksyms" size 16, 0+4 "dummy_ksym", 4+4 "dummy_ksym", 8+4 "typeless", 12+4 "typed"`,
			43: `var "dummy_ksym" global int "int"`,
		}},
		{"sanitize_noint", map[btf.TypeID]string{
			6: `var "no_such_symbol" global int "int"`,
			7: `datasec ".ksyms" size 4, 0+4 "no_such_symbol"`,
			8: `int "int" size 4 signed`,
		}},
		{"view_plain", map[btf.TypeID]string{}},
	} {
		bothOrders(t, test.object, func(t *testing.T, name string) {
			raw := rawBTFOf(t, "../testdata/"+name)
			before := bytes.Clone(raw)
			got, err := SanitizeExterns(raw)
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
				t.Error("an object without externs has changed")
			}
			if again, err := SanitizeExterns(got); err != nil || !bytes.Equal(again, got) {
				t.Errorf("twice is not the same as once: %v", err)
			}
		})
	}
}

// An extern that no section is named for becomes an int; one that a section
// places keeps its type, as the size of its entry stays.
func TestSanitizeExternsElsewhere(t *testing.T) {
	long := &btf.Int{Name: "long", Size: 8}
	placed := &btf.Var{Name: "placed", Type: long, Linkage: btf.ExternVar}
	raw := everyKind(t, binary.LittleEndian,
		&btf.Var{Name: "lost", Type: long, Linkage: btf.ExternVar}, // 10
		placed, // 11
		&btf.Datasec{Name: ".data.x", Vars: []btf.VarSecinfo{{Type: placed, Size: 8}}},
		&btf.Func{Name: "undefined", Type: &btf.FuncProto{Return: long}, Linkage: btf.ExternFunc}, // 13
	)
	got, err := SanitizeExterns(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[btf.TypeID]string{
		10: `var "lost" global int "int"`,
		11: `var "placed" global int "long"`,
		13: `func "undefined" global`,
	}, changes(t, raw, got)); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
}

func TestSanitizeExternsErrors(t *testing.T) {
	kconfig := func(typ btf.Type) []byte {
		v := btf.Type(&btf.Var{Name: "a", Type: typ, Linkage: btf.ExternVar})
		if _, ok := typ.(*btf.Func); ok {
			v = typ
		}
		return everyKind(t, binary.LittleEndian, &btf.Datasec{Name: ".kconfig", Vars: []btf.VarSecinfo{{Type: v}}})
	}
	char := &btf.Int{Name: "char", Size: 1}
	array := func(typ btf.Type, n uint32) btf.Type { return &btf.Array{Index: char, Type: typ, Nelems: n} }
	deep := btf.Type(char)
	for range 40 {
		deep = &btf.Const{Type: deep}
	}
	for _, test := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"empty", nil, "BTF header: 0 bytes, want 24"},
		{"truncated", kconfig(char)[:60], "BTF types: "},
		{"struct", kconfig(&btf.Struct{Name: "s", Size: 4}), `DATASEC ".kconfig": variable "a": type is STRUCT, want a number, an enum or an array of them`},
		{"void", kconfig(&btf.Void{}), `DATASEC ".kconfig": variable "a": type is VOID, want a number, an enum or an array of them`},
		{"number", kconfig(&btf.Int{Name: "odd", Size: 3}), `DATASEC ".kconfig": variable "a": number of 3 bytes, want 1, 2, 4 or 8`},
		{"array", kconfig(array(char, 0)), `DATASEC ".kconfig": variable "a": array of 0 bytes`},
		{"huge", kconfig(array(array(char, 1<<31), 1<<31)), `DATASEC ".kconfig": variable "a": array has more than 4294967295 elements`},
		{"deep", kconfig(deep), `DATASEC ".kconfig": variable "a": type is more than 32 levels deep`},
		{"function", kconfig(&btf.Func{Name: "f", Type: &btf.FuncProto{Return: char}, Linkage: btf.ExternFunc}), `DATASEC ".kconfig": BTF type `},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := SanitizeExterns(test.raw); err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("error %q, want %q", err, test.want)
			}
		})
	}
}

func TestFileBTF(t *testing.T) {
	bothOrders(t, "sanitize_externs", func(t *testing.T, name string) {
		got, err := readFile(t, readObject(t, name)).BTF()
		if err != nil {
			t.Fatal(err)
		}
		externs, err := SanitizeExterns(rawBTFOf(t, "../testdata/"+name))
		if err != nil {
			t.Fatal(err)
		}
		// What the file knows beside its BTF.
		want := map[btf.TypeID]string{
			3:  `func "ignores" static "arg0" "second"`,
			16: `var "hidden" static typedef "u64"`,
			39: `datasec ".data" size 24, 0+8 "hidden", 8+4 "shown", 16+8 "hidden_static"`,
			42: `datasec "license" size 4, 0+4 "_license"`,
		}
		for id, line := range changes(t, rawBTFOf(t, "../testdata/"+name), externs) {
			want[id] = line
		}
		if diff := cmp.Diff(want, changes(t, rawBTFOf(t, "../testdata/"+name), got)); diff != "" {
			t.Errorf("types (-want +got):\n%s", diff)
		}
	})
	if raw, err := readFile(t, readObject(t, "structops_nobtf-el.elf")).BTF(); !errors.Is(err, btf.ErrNotFound) {
		t.Errorf("object without BTF: %d bytes, error %v", len(raw), err)
	}
}

// The kernel takes the BTF of every object, and none with externs as clang wrote it.
func TestFileBTFKernel(t *testing.T) {
	externs := 0
	for name, f := range nativeFiles(t) {
		raw, err := f.BTF()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := loadRaw(t, lower(t, raw)); err != nil {
			t.Errorf("%s: %+v", name, err)
		}
		if f.Datasec(".ksyms") == nil && f.Datasec(".kconfig") == nil {
			continue
		}
		externs++
		if err := loadRaw(t, f.types.marshal()); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: the kernel takes externs as they are (error %v): SanitizeExterns can go", name, err)
		}
	}
	t.Logf("%d objects have externs", externs)
}

// The kernel's words for each kind of extern, in BTF that is right otherwise.
func TestSanitizeExternsKernel(t *testing.T) {
	number := &btf.Int{Name: "int", Size: 4}
	proto := func(name string) btf.Type {
		return &btf.FuncProto{Return: number, Params: []btf.FuncParam{{Name: name, Type: number}}}
	}
	datasec := func(name string, typ btf.Type) btf.Type {
		return &btf.Datasec{Name: name, Vars: []btf.VarSecinfo{{Type: typ}}}
	}
	for _, test := range []struct {
		name string
		typ  btf.Type
		want string
	}{
		{"function", &btf.Func{Name: "f", Type: proto("a"), Linkage: btf.ExternFunc}, "Invalid func linkage"},
		{"variable", &btf.Var{Name: "v", Type: number, Linkage: btf.ExternVar}, "Linkage not supported"},
		{"typeless", &btf.Var{Name: "v", Type: &btf.Void{}, Linkage: btf.ExternVar}, "Invalid type_id"},
		{"size", datasec(".ksyms", &btf.Var{Name: "v", Type: number, Linkage: btf.GlobalVar}), "size == 0"},
		{"function in section", datasec(".ksyms", &btf.Func{Name: "f", Type: proto(""), Linkage: btf.ExternFunc}), ""},
		{"kconfig", datasec(".kconfig", &btf.Var{Name: "v", Type: number, Linkage: btf.ExternVar}), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw := lower(t, everyKind(t, nativeOrder(), test.typ))
			if err := loadRaw(t, raw); !errors.Is(err, syscall.EINVAL) || !strings.Contains(fmt.Sprintf("%+v", err), test.want) {
				t.Errorf("the kernel says %+v, want %q: if it takes externs, SanitizeExterns can go", err, test.want)
			}
			sane, err := SanitizeExterns(raw)
			if err != nil {
				t.Fatal(err)
			}
			if err := loadRaw(t, sane); err != nil {
				t.Errorf("%+v", err)
			}
		})
	}
}

// FuzzSanitize: BTF that upstream parses or an error, and twice is the same as
// once. Nor does any other edit panic.
func FuzzSanitize(f *testing.F) {
	for _, name := range objectFiles(f) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if raw, err := RawBTF(bytes.NewReader(b)); err == nil && len(raw) < 4<<10 {
			f.Add(raw)
			f.Add(withLayout(f, raw))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		once, err := SanitizeExterns(raw)
		if err == nil {
			twice, err := SanitizeExterns(once)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(once, twice) {
				t.Error("twice is not the same as once")
			}
			if _, err := btf.LoadSplitSpecFromReader(bytes.NewReader(raw), nil); err == nil {
				parseBTF(t, once)
			}
		}
		if lower, err := Downgrade(raw, Features{}); err == nil {
			if again, err := Downgrade(lower, Features{}); err != nil || !bytes.Equal(lower, again) {
				t.Errorf("downgrade: twice is not the same as once: %v", err)
			}
		}
		if !bytes.Equal(raw, before) {
			t.Error("the input has changed")
		}
	})
}

// FuzzFileBTF: BTF without anything left to sanitise, or an error.
func FuzzFileBTF(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := NewFile(bytes.NewReader(b))
		if err != nil {
			return
		}
		raw, err := file.BTF()
		if (raw == nil) != (err != nil) {
			t.Fatalf("%d bytes, error %v", len(raw), err)
		}
		if err != nil {
			return
		}
		if again, err := SanitizeExterns(raw); err != nil || !bytes.Equal(raw, again) {
			t.Errorf("twice is not the same as once: %v", err)
		}
	})
}
