package btfx

import (
	"debug/elf"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFunctionAt(t *testing.T) {
	object := readObject(t, "view_hidden-el.elf")
	f := readFile(t, object)
	text := f.Symbols[1].Section
	for _, sym := range f.Symbols {
		if sym.Name == "visible" {
			text = sym.Section
		}
	}

	fn, ok := f.FunctionAt(text, 24)
	want := Symbol{Name: "hidden", Value: 24, Size: 24, Section: text, Binding: elf.STB_GLOBAL, Type: elf.STT_FUNC, Visibility: elf.STV_HIDDEN}
	if diff := cmp.Diff(want, fn); !ok || diff != "" {
		t.Errorf("function (-want +got):\n%s", diff)
	}
	for _, at := range []struct {
		section elf.SectionIndex
		offset  uint64
	}{{text, 32}, {text, 1 << 40}, {0, 0}, {elf.SHN_ABS, 0}} {
		if fn, ok := f.FunctionAt(at.section, at.offset); ok {
			t.Errorf("section %d, offset %d: %v", at.section, at.offset, fn)
		}
	}
}

func TestFunctionSymbols(t *testing.T) {
	object := readObject(t, "view_hidden-el.elf")
	for _, test := range []struct {
		name string
		edit func(*view)
		want string // function at offset 0 of .text, or the error
	}{
		{"alias", func(v *view) {
			alias := *v.symbolNamed("visible")
			alias.Name = "alias"
			v.appendSymbol(alias)
		}, "alias"},
		{"untyped alias", func(v *view) {
			alias := *v.symbolNamed("visible")
			alias.Name, alias.Type = "alias", elf.STT_NOTYPE
			v.appendSymbol(alias)
		}, "visible"},
		{"untyped function", func(v *view) { v.symbolNamed("visible").Type = elf.STT_NOTYPE }, "visible"},
		{"label", func(v *view) {
			label := *v.symbolNamed("visible")
			label.Name, label.Type, label.Value, label.Size = "label", elf.STT_NOTYPE, 8, 0
			v.appendSymbol(label)
		}, "visible"},
		{"untyped range", func(v *view) {
			label := *v.symbolNamed("visible")
			label.Name, label.Type, label.Value, label.Size = "range", elf.STT_NOTYPE, 8, 16
			v.appendSymbol(label)
		}, "visible"},
		{"empty", func(v *view) { v.symbolNamed("visible").Size = 0 },
			`section ".text": function "visible" at offset 0 has 0 bytes: want instructions of 8 within the 72 bytes of the section`},
		{"unaligned", func(v *view) { v.symbolNamed("visible").Value = 4 },
			`section ".text": function "visible" at offset 4 has 24 bytes: want instructions of 8 within the 72 bytes of the section`},
		{"beyond the section", func(v *view) { v.symbolNamed("visible").Size = 8000 },
			`section ".text": function "visible" at offset 0 has 8000 bytes: want instructions of 8 within the 72 bytes of the section`},
		{"overlap", func(v *view) { v.symbolNamed("visible").Size = 32 },
			`section ".text": functions "visible" at offset 0 and "hidden" at offset 24 overlap`},
	} {
		t.Run(test.name, func(t *testing.T) {
			edited := rewrite(t, object, test.edit)
			f, err := newFileFrom(edited)
			if err != nil {
				if err.Error() != test.want {
					t.Errorf("error %v, want %s", err, test.want)
				}
				return
			}
			spec, err := f.Spec()
			if err != nil {
				t.Fatal(err)
			}
			text := f.Symbols[1].Section
			for i, sec := range f.Sections {
				if sec.Name == ".text" {
					text = elf.SectionIndex(i)
				}
			}
			fn, _ := f.FunctionAt(text, 0)
			if fn.Name != test.want {
				t.Errorf("function %q, want %q", fn.Name, test.want)
			}
			// The spec knows the function by the same name.
			uses := usesIn(spec.Programs["prog"])
			if uses[0].Reference != test.want {
				t.Errorf("uses %v", uses)
			}
		})
	}
}
