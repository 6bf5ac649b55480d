package btfx

import (
	"bytes"
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// readObject returns a golden object.
func readObject(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile("../testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// readFile returns the facts of an object.
func readFile(tb testing.TB, b []byte) *File {
	tb.Helper()
	f, err := NewFile(bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// readSpec returns the spec of a golden object through the view.
func readSpec(tb testing.TB, name string) *ebpf.CollectionSpec {
	tb.Helper()
	spec, err := readFile(tb, readObject(tb, name)).Spec()
	if err != nil {
		tb.Fatal(err)
	}
	return spec
}

// bothOrders runs a test for an object of either byte order.
func bothOrders(t *testing.T, name string, test func(*testing.T, string)) {
	t.Helper()
	for _, order := range []string{"el", "eb"} {
		t.Run(order, func(t *testing.T) { test(t, fmt.Sprintf("%s-%s.elf", name, order)) })
	}
}

// canary fails once upstream reads an object by itself: then part of the view
// can go.
func canary(t *testing.T, object []byte, text, obsolete string) {
	t.Helper()
	_, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err == nil {
		t.Fatalf("upstream reads this object by itself: the view no longer needs %s", obsolete)
	}
	if !strings.Contains(err.Error(), text) {
		t.Fatalf("upstream says %q, want %q", err, text)
	}
}

// rewrite writes a file anew after an edit, as the view does, but with
// everything that the file has.
func rewrite(tb testing.TB, object []byte, edit func(*view)) []byte {
	tb.Helper()
	f := readFile(tb, object)
	v := &view{File: f, symbols: slices.Clone(f.Symbols), sections: make([]viewSection, len(f.Sections))}
	for i, sec := range f.Sections {
		switch sec.Type {
		case elf.SHT_PROGBITS, elf.SHT_NOBITS:
			v.sections[i] = viewSection{name: sec.Name, header: f.headers[i], size: sec.Size, data: bytes.Clone(f.data[i]), relocations: sec.Relocations}
		}
	}
	edit(v)
	return v.marshal()
}

// section returns a section of a view by name.
func (v *view) section(name string) *viewSection {
	return &v.sections[slices.IndexFunc(v.sections, func(s viewSection) bool { return s.name == name })]
}

func TestRewrite(t *testing.T) {
	bothOrders(t, "structops_two", func(t *testing.T, name string) {
		object := readObject(t, name)
		f, again := readFile(t, object), readFile(t, rewrite(t, object, func(*view) {}))
		want, err := f.Spec()
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Spec()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(describeSpec(f, want), describeSpec(f, got)); diff != "" {
			t.Errorf("spec after a round trip (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(f.Symbols, again.Symbols); diff != "" {
			t.Errorf("symbols after a round trip (-want +got):\n%s", diff)
		}
	})
}

// TestSpecTwice makes sure that the view changes nothing in the facts.
func TestSpecTwice(t *testing.T) {
	for _, name := range objectFiles(t) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := NewFile(bytes.NewReader(b))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		first, err := f.Spec()
		if err != nil {
			continue // TestViewSame and others tell which may fail
		}
		for range 5 {
			again, err := f.Spec()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(describeSpec(f, first), describeSpec(f, again)); diff != "" {
				t.Fatalf("%s: specs differ (-first +again):\n%s", name, diff)
			}
		}
	}
}

func TestViewStructOps(t *testing.T) {
	for _, test := range []struct {
		name, refusal string
		sections      []string
	}{
		{"structops_legacy", "got '.struct_ops' section", []string{".struct_ops"}},
		{"structops_optional", "", []string{".struct_ops.link", "?.struct_ops.link"}},
		{"structops_optional_legacy", "", []string{"?.struct_ops"}},
		{"structops_two", "", []string{".struct_ops.link"}},
		{"structops_static", "program  not found", []string{".struct_ops.link"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bothOrders(t, test.name, func(t *testing.T, name string) {
				if test.refusal != "" {
					canary(t, readObject(t, name), test.refusal, "opsSection")
				}

				spec := readSpec(t, name)
				for name, m := range spec.Maps {
					if m.Type == ebpf.StructOpsMap {
						t.Errorf("map %q: in the spec", name)
					}
				}
				for name, p := range spec.Programs {
					if p.Type == ebpf.StructOps && p.AttachTo != "" {
						t.Errorf("program %q: AttachTo %q", name, p.AttachTo)
					}
				}
				for _, section := range test.sections {
					var ds *btf.Datasec
					if err := spec.Types.TypeByName(section, &ds); err != nil {
						t.Error(err)
					} else if ds.Size == 0 || len(ds.Vars) == 0 {
						t.Errorf("DATASEC %q: size %d, %d variables", section, ds.Size, len(ds.Vars))
					}
				}
			})
		})
	}
}

// Optional programs keep the "?" of their section. Upstream drops it from the
// type, but not from SectionName.
func TestViewOptionalProgram(t *testing.T) {
	var optional []string
	for name, p := range readSpec(t, "structops_optional_program-el.elf").Programs {
		if strings.HasPrefix(p.SectionName, "?") {
			optional = append(optional, name)
			if p.Type == ebpf.UnspecifiedProgram {
				t.Errorf("program %q: no type", name)
			}
		}
	}
	if len(optional) == 0 {
		t.Error("no optional program")
	}
}

func TestViewWeakMap(t *testing.T) {
	bothOrders(t, "view_weak_map", func(t *testing.T, name string) {
		canary(t, readObject(t, name), `map "weak_map": unsupported binding: STB_WEAK`, "the binding of maps in showSymbols")

		spec := readSpec(t, name)
		if got := slices.Collect(maps.Keys(spec.Maps)); !slices.Equal(got, []string{"weak_map"}) {
			t.Errorf("maps %q", got)
		}
		var refs []string
		for _, ins := range spec.Programs["prog"].Instructions {
			if ins.IsLoadFromMap() {
				refs = append(refs, ins.Reference())
			}
		}
		if !slices.Equal(refs, []string{"weak_map"}) {
			t.Errorf("references %q", refs)
		}
	})
}

// The relocations of data are no business of the loader.
func TestViewDataRelocations(t *testing.T) {
	object := rewrite(t, readObject(t, "view_plain-el.elf"), func(v *view) {
		v.section(".data").relocations = []Relocation{{Offset: 0, Type: 2, Symbol: 0}, {Offset: 8, Type: 2, Symbol: 1}}
	})
	canary(t, object, "load relocations", "countable")
	if _, err := readFile(t, object).Spec(); err != nil {
		t.Error(err)
	}
}

func TestViewRefusesLargeVariables(t *testing.T) {
	object := rewrite(t, readObject(t, "view_plain-el.elf"), func(v *view) {
		for i := range 2 * maxOverlap {
			v.appendSymbol(Symbol{Name: fmt.Sprint("v", i), Size: 4, Section: v.symbolNamed("step").Section, Type: elf.STT_OBJECT, Binding: elf.STB_GLOBAL})
		}
	})
	_, err := readFile(t, object).Spec()
	want := `section ".data": its variables have more than 16 times its 4 bytes`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// symbolNamed returns the symbol of that name, to be edited.
func (v *view) symbolNamed(name string) *Symbol {
	return &v.symbols[slices.IndexFunc(v.symbols, func(s Symbol) bool { return s.Name == name })]
}

func BenchmarkSpec(b *testing.B) {
	for _, name := range []string{"view_plain-el.elf", "structops_large-el.elf"} {
		b.Run(name, func(b *testing.B) { benchmarkSpec(b, readObject(b, name)) })
	}
	for _, name := range strings.Fields(os.Getenv("EBPFX_BENCH")) {
		object, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) { benchmarkSpec(b, object) })
	}
}

// benchmarkSpec tells what the view costs: facts and view, without the parsing
// that upstream does.
func benchmarkSpec(b *testing.B, object []byte) {
	b.Run("view", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f, err := NewFile(bytes.NewReader(object))
			if err != nil {
				b.Fatal(err)
			}
			v, err := newView(f, textSection)
			if err != nil {
				b.Fatal(err)
			}
			v.marshal()
		}
	})
	b.Run("upstream", func(b *testing.B) {
		b.ReportAllocs()
		f := readFile(b, object)
		v, err := newView(f, textSection)
		if err != nil {
			b.Fatal(err)
		}
		image := v.marshal()
		for b.Loop() {
			if _, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(image)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
