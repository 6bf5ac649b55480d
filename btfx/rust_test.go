package btfx

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
)

// rustFiles returns the objects compiled from Rust, by name.
func rustFiles(tb testing.TB) map[string]*File {
	tb.Helper()
	names, err := filepath.Glob("../testdata/rust/*.o")
	if err != nil || len(names) == 0 {
		tb.Fatal("no objects:", err)
	}
	files := make(map[string]*File)
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		files[filepath.Base(name)] = readFile(tb, b)
	}
	return files
}

// rustSpec returns the types of testdata/rust/NAME as the spec has them.
func rustSpec(tb testing.TB, name string) *btf.Spec {
	tb.Helper()
	spec, err := rustFiles(tb)[name].Spec()
	if err != nil {
		tb.Fatal(err)
	}
	return spec.Types
}

// rustBTF returns the BTF of a file as showRust leaves it, whether the file was
// compiled from Rust or not.
func rustBTF(f *File) ([]byte, error) {
	v := &view{File: f, types: &rawBTF{order: f.ByteOrder}}
	if err := v.showRust(); err != nil {
		return nil, err
	}
	return v.types.marshal(), nil
}

// withBTF returns a file that has other BTF.
func withBTF(f *File, raw []byte) (*File, error) {
	cpy := *f
	cpy.data = slices.Clone(f.data)
	cpy.data[f.sectionIndex(".BTF")] = raw
	return &cpy, cpy.readTypes(nil)
}

func TestIsRust(t *testing.T) {
	for name, f := range rustFiles(t) {
		if !f.IsRust() {
			t.Errorf("%s is from Rust", name)
		}
		if index := f.sectionIndex(".BTF.ext"); index >= 0 && strings.HasSuffix(name, "-plain.o") {
			f.data[index] = nil
			if !f.IsRust() {
				t.Errorf("%s without line info is from Rust, as its panic handler has a mangled name", name)
			}
		}
	}
	for _, name := range objectFiles(t) {
		f, err := newFileFromPath(name)
		if err == nil && f.IsRust() {
			t.Errorf("%s is not from Rust", name)
		}
	}
}

func newFileFromPath(name string) (*File, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return NewFile(bytes.NewReader(b))
}

func TestIsMangled(t *testing.T) {
	for symbol, want := range map[string]bool{
		"_RNvCs38xfI8hiVz4_15tcp_subprograms4cold":          true,
		"_RINvCs38xfI8hiVz4_15tcp_subprograms7genericmEB2_": true,
		"_ZN15tcp_subprograms4cold17heeb81d84c7f88198E":     true,
		"_ZN3foo3barEv": false, // C++
		"_ZN17hE":       false,
		"_READ":         false,
		"":              false,
	} {
		if got := isMangled(symbol); got != want {
			t.Errorf("%q: %v, want %v", symbol, got, want)
		}
	}
}

// TestRustLeavesC runs the edits on C objects, where they would not be run: what
// they change must be nothing but what C shares with Rust.
func TestRustLeavesC(t *testing.T) {
	shared := map[string]string{
		"structops_integer_callback": "an integer that is filled with a callback, which libbpf refuses",
	}
	var objects int
	for _, name := range objectFiles(t) {
		f, err := newFileFromPath(name)
		if err != nil || f.types == nil {
			continue
		}
		objects++
		got, err := rustBTF(f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := f.types.marshal()
		base := filepath.Base(name)
		reason := shared[strings.TrimSuffix(strings.TrimSuffix(base, "-el.elf"), "-eb.elf")]
		if changed := !bytes.Equal(got, want); changed != (reason != "") {
			t.Errorf("%s: BTF is changed: %v, expected because of %q", base, changed, reason)
		}
	}
	t.Logf("%d objects", objects)
}

// TestRustTwice: a second run changes nothing, and two runs do the same.
func TestRustTwice(t *testing.T) {
	for name, f := range rustFiles(t) {
		if f.types == nil {
			continue
		}
		first, err := rustBTF(f)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := rustBTF(f); err != nil || !bytes.Equal(first, again) {
			t.Errorf("%s: two runs differ, %v", name, err)
		}
		edited, err := withBTF(f, first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := rustBTF(edited)
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s: a second run changes %v, %v", name, changes(t, first, second), err)
		}
	}
}

// TestRustIDs: types keep their IDs, so .BTF.ext stays valid.
func TestRustIDs(t *testing.T) {
	for name, f := range rustFiles(t) {
		if f.types == nil {
			continue
		}
		raw, err := rustBTF(f)
		if err != nil {
			t.Fatal(err)
		}
		edited, err := withBTF(f, raw)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []int
		for r := range edited.types.records() {
			kinds = append(kinds, r.kind())
		}
		for r := range f.types.records() {
			if kinds[r.id-1] != r.kind() {
				t.Errorf("%s: type %d has kind %d, had %d", name, r.id, kinds[r.id-1], r.kind())
			}
		}
	}
}

// TestRustKernel loads all types of each object into the kernel, which refuses
// them as they are in the file.
func TestRustKernel(t *testing.T) {
	for name, f := range rustFiles(t) {
		if f.types == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			spec, err := f.Spec()
			if err != nil {
				t.Fatal(err)
			}
			builder, err := NewBuilder(spec.Types, false)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := builder.Marshal(nil, btf.KernelMarshalOptions())
			if err != nil {
				t.Fatal(err)
			}
			if err := loadRaw(t, raw); err != nil {
				t.Errorf("%+v", err)
			}
		})
	}
}

// FuzzRust changes bytes of the types of an object. Edits are three bytes each:
// two for the place, one for the value.
func FuzzRust(f *testing.F) {
	files := rustFiles(f)
	names := slices.Sorted(maps.Keys(files))
	for i := range names {
		f.Add(uint8(i), []byte{0, 4, 1, 0, 24, 3})
	}
	f.Fuzz(func(t *testing.T, index uint8, edits []byte) {
		object := files[names[int(index)%len(names)]]
		if object.types == nil {
			return
		}
		mutated := &rawBTF{order: object.ByteOrder, types: bytes.Clone(object.types.types), strings: object.types.strings}
		for ; len(edits) >= 3; edits = edits[3:] {
			mutated.types[int(binary.BigEndian.Uint16(edits))%len(mutated.types)] = edits[2]
		}
		file, err := withBTF(object, mutated.marshal())
		if err != nil {
			return
		}
		file.IsRust()
		file.RustNames()
		first, err := rustBTF(file)
		if err != nil {
			return
		}
		edited, err := withBTF(object, first)
		if err != nil {
			t.Fatalf("after the edits: %v", err)
		}
		second, err := rustBTF(edited)
		if err != nil {
			t.Fatalf("second run: %v", err)
		}
		if !bytes.Equal(first, second) {
			t.Fatalf("a second run changes\n%x\nto\n%x", first, second)
		}
		if spec, err := file.Spec(); (spec == nil) != (err != nil) {
			t.Fatalf("spec %v, error %v", spec, err)
		}
	})
}

// FuzzRustObject mutates whole objects: a spec or an error.
func FuzzRustObject(f *testing.F) {
	names, err := filepath.Glob("../testdata/rust/*.o")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := NewFile(bytes.NewReader(b))
		if err != nil {
			return
		}
		file.IsRust()
		for legal := range file.RustNames() {
			if legal == "" || len(legal) > maxName+1 {
				t.Errorf("name %q", legal)
			}
		}
		if spec, err := file.Spec(); (spec == nil) != (err != nil) {
			t.Fatalf("spec %v, error %v", spec, err)
		}
		file.FunctionAt(elf.SectionIndex(1), 0)
	})
}
