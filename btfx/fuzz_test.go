package btfx

import (
	"bytes"
	"debug/elf"
	"os"
	"runtime/metrics"
	"testing"
)

// seed adds the golden objects that are small.
func seed(f *testing.F) {
	for _, name := range objectFiles(f) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 16<<10 {
			f.Add(b)
		}
	}
}

// FuzzFile: facts or an error, and every fact is within its bounds.
func FuzzFile(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := NewFile(bytes.NewReader(b))
		if (file == nil) != (err != nil) {
			t.Fatalf("file %v, error %v", file, err)
		}
		if err != nil {
			return
		}
		for i, sec := range file.Sections {
			data, err := file.Data(elf.SectionIndex(i))
			if err == nil && data != nil && uint64(len(data)) != sec.Size {
				t.Errorf("section %q: %d bytes, want %d", sec.Name, len(data), sec.Size)
			}
			for j, rel := range sec.Relocations {
				if rel.Symbol >= len(file.Symbols) || j > 0 && rel.Offset < sec.Relocations[j-1].Offset {
					t.Errorf("section %q: relocation %+v", sec.Name, rel)
				}
			}
			file.Datasec(sec.Name)
		}
		for _, sym := range file.Symbols {
			if fn, ok := file.FunctionAt(sym.Section, sym.Value); ok && fn.Value != sym.Value {
				t.Errorf("function %+v at offset %d", fn, sym.Value)
			}
			file.Undefined(sym.Name)
			if targets, err := file.JumpTable(sym.Value, sym.Name); (targets == nil) != (err != nil) {
				t.Errorf("jump table %v, error %v", targets, err)
			}
		}
		file.Datasec(".ksyms")
	})
}

// allocated returns the bytes allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// FuzzView: a spec or an error, and no allocation that the size of the file does
// not explain.
func FuzzView(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		before := allocated()
		file, err := NewFile(bytes.NewReader(b))
		if err != nil {
			return
		}
		spec, err := file.Spec()
		if n := allocated() - before; n > 4*maxAllZeroes+uint64(1000*len(b)) {
			t.Errorf("%d bytes allocated for a file of %d", n, len(b))
		}
		if (spec == nil) != (err != nil) {
			t.Fatalf("spec %v, error %v", spec, err)
		}
		if err != nil {
			return
		}
		for name := range spec.Programs {
			if spec.Programs[name].Name != name {
				t.Errorf("program %q is called %q", name, spec.Programs[name].Name)
			}
		}
	})
}
