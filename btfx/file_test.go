package btfx

import (
	"debug/elf"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

func TestDatasec(t *testing.T) {
	bothOrders(t, "view_hidden", func(t *testing.T, name string) {
		f := readFile(t, readObject(t, name))
		type entry struct {
			Name         string
			Offset, Size uint32
		}
		entries := func(vars []DatasecVar) (out []entry) {
			for _, v := range vars {
				out = append(out, entry{v.Name, v.Offset, v.Size})
			}
			return out
		}

		// Offsets are those of symbols, as clang leaves 0 in the file.
		if diff := cmp.Diff([]entry{{"shown", 0, 4}, {"secret", 4, 4}}, entries(f.Datasec(".bss"))); diff != "" {
			t.Errorf(".bss (-want +got):\n%s", diff)
		}
		if vars := f.Datasec(".data"); vars != nil {
			t.Errorf("absent DATASEC: %v", vars)
		}

		spec, err := f.Spec()
		if err != nil {
			t.Fatal(err)
		}
		typ, err := spec.Types.TypeByID(f.Datasec("license")[0].ID)
		if err != nil || typ.TypeName() != "_license" {
			t.Errorf("type %v, error %v", typ, err)
		}
	})

	t.Run("struct_ops", func(t *testing.T) {
		for _, name := range []string{"structops_two-el.elf", "structops_two-eb.elf", "structops_static_var-el.elf"} {
			f := readFile(t, readObject(t, name))
			spec, err := f.Spec()
			if err != nil {
				t.Fatal(err)
			}
			var ds *btf.Datasec
			if err := spec.Types.TypeByName(".struct_ops.link", &ds); err != nil {
				t.Fatal(err)
			}
			offsets := make(map[string]uint32)
			for _, v := range ds.Vars {
				offsets[v.Type.TypeName()] = v.Offset
			}
			for _, v := range f.Datasec(".struct_ops.link") {
				if v.Offset != offsets[v.Name] {
					t.Errorf("%s: %q at offset %d, the spec has it at %d", name, v.Name, v.Offset, offsets[v.Name])
				}
			}
		}
	})

	t.Run("no BTF", func(t *testing.T) {
		if vars := readFile(t, readObject(t, "structops_nobtf-el.elf")).Datasec(".struct_ops.link"); vars != nil {
			t.Errorf("DATASEC in an object without BTF: %v", vars)
		}
	})
}

func TestUndefined(t *testing.T) {
	f := readFile(t, readObject(t, "view_externs-el.elf"))
	for name, want := range map[string]elf.SymBind{
		"bpf_rcu_read_lock":     elf.STB_GLOBAL,
		"bpf_rcu_read_unlock":   elf.STB_WEAK,
		"CONFIG_DOES_NOT_EXIST": elf.STB_WEAK,
	} {
		sym, ok := f.Undefined(name)
		if !ok || sym.Binding != want {
			t.Errorf("symbol %q: %+v, want binding %s", name, sym, want)
		}
	}
	if sym, ok := f.Undefined("prog"); ok {
		t.Errorf("defined symbol: %+v", sym)
	}
}

func TestData(t *testing.T) {
	f := readFile(t, readObject(t, "view_plain-el.elf"))
	index := func(name string) elf.SectionIndex {
		return elf.SectionIndex(slices.IndexFunc(f.Sections, func(s Section) bool { return s.Name == name }))
	}
	for name, want := range map[string][]byte{
		"license": []byte("GPL\x00"),
		".data":   {3, 0, 0, 0},
		".bss":    nil,
	} {
		b, err := f.Data(index(name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b); diff != "" {
			t.Errorf("section %q (-want +got):\n%s", name, diff)
		}
	}
	if size := f.Sections[index(".bss")].Size; size != 8 {
		t.Errorf(".bss has %d bytes", size)
	}
	if _, err := f.Data(elf.SectionIndex(len(f.Sections))); err == nil {
		t.Error("no error for a section that does not exist")
	}
}

func TestRelocations(t *testing.T) {
	bothOrders(t, "structops_two", func(t *testing.T, name string) {
		f := readFile(t, readObject(t, name))
		type slot struct {
			Offset  uint64
			Program string
		}
		var slots []slot
		for _, sec := range f.Sections {
			if sec.Name != ".struct_ops.link" {
				continue
			}
			for _, rel := range sec.Relocations {
				sym := f.Symbols[rel.Symbol]
				fn, ok := f.FunctionAt(sym.Section, sym.Value)
				if !ok {
					t.Errorf("offset %d: no function", rel.Offset)
				}
				slots = append(slots, slot{rel.Offset, fn.Name})
			}
		}
		want := []slot{
			{0, "init_first"}, {8, "release_first"}, {16, "ssthresh"}, {24, "cong_avoid"}, {32, "undo_cwnd"},
			{56, "init_second"}, {72, "ssthresh"}, {80, "cong_avoid"}, {88, "undo_cwnd"},
		}
		if diff := cmp.Diff(want, slots); diff != "" {
			t.Errorf("slots (-want +got):\n%s", diff)
		}
	})
}

func TestReadTypesErrors(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func([]byte) []byte
		want string
	}{
		{"short", func(b []byte) []byte { return b[:20] }, `section ".BTF": BTF header: 20 bytes, want 24`},
		{"magic", func(b []byte) []byte { b[0] = 0; return b }, `section ".BTF": BTF header: magic 0xeb, want 0xeb9f`},
		{"version", func(b []byte) []byte { b[2] = 7; return b }, `section ".BTF": BTF header: version 7, want 1`},
		{"byte order", func(b []byte) []byte { b[0], b[1] = b[1], b[0]; return b }, ""},
		{"kind", func(b []byte) []byte { b[24+7] = 20; return b }, `section ".BTF": BTF type 1: unknown kind 20`},
		{"length", func(b []byte) []byte { binary.LittleEndian.PutUint32(b[12:], 1<<31); return b }, ""},
		{"cut record", func(b []byte) []byte { binary.LittleEndian.PutUint32(b[12:], 10); return b }, `section ".BTF": BTF type 1: 10 bytes are no record`},
		{"strings", func(b []byte) []byte { b[len(b)-1] = 'x'; return b }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := rewrite(t, readObject(t, "view_plain-el.elf"), func(v *view) {
				s := v.section(".BTF")
				s.data = test.edit(s.data)
			})
			_, err := newFileFrom(object)
			if err == nil || test.want != "" && err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}
