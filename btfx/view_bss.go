package btfx

import (
	"debug/elf"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// showData shows a data section under a name that upstream takes for data, and
// a very large one without its size.
func (v *view) showData(index int, s *viewSection) {
	if strings.HasPrefix(s.name, ".bss.") {
		// No section that a compiler writes has a space in its name.
		s.name = ".data " + s.name
		v.renamed[v.Sections[index].Name] = s.name
	}
	if v.Sections[index].Type == elf.SHT_NOBITS {
		if s.size > maxZeroes || v.zeroes+s.size > maxAllZeroes {
			v.shrinkSection(elf.SectionIndex(index), s)
		} else {
			v.zeroes += s.size
		}
	}
	if s.name != v.Sections[index].Name {
		v.renameSection(s.name, v.Sections[index].Name)
	}
}

// renameSection gives a section its own name in the spec.
//
// Closes the gap that cilium/ebpf v0.22.0 refuses references to .bss.X.
func (v *view) renameSection(shown, section string) {
	v.restores = append(v.restores, func(spec *ebpf.CollectionSpec) error {
		m := spec.Maps[shown]
		if m == nil {
			return nil
		}
		delete(spec.Maps, shown)
		m.Name = section
		spec.Maps[section] = m

		for _, variable := range spec.Variables {
			if variable.SectionName == shown {
				variable.SectionName = section
				m.Flags |= bpfMmapable
			}
		}
		for _, prog := range spec.Programs {
			for i := range prog.Instructions {
				if ins := &prog.Instructions[i]; ins.Reference() == shown {
					*ins = ins.WithReference(section)
				}
			}
		}
		return nil
	})
}

// bpfMmapable is BPF_F_MMAPABLE. Requires Linux 5.5 (fc9702273e2e).
const bpfMmapable = 1 << 10

// shrinkSection shows a section of zeroes with a size of 8 bytes and without
// variables.
//
// Closes the gap that cilium/ebpf v0.22.0 allocates such a section twice and
// writes the zeroes to the kernel: a scheduler with 165 MB of .bss takes most of
// a second to parse.
func (v *view) shrinkSection(index elf.SectionIndex, s *viewSection) {
	size, section := s.size, s.name
	s.size = 8

	var variables []Symbol
	for i, sym := range v.Symbols {
		if sym.Section != index {
			continue
		}
		v.symbols[i].Binding = elf.STB_LOCAL
		if sym.isObject() && !sym.isHidden() {
			variables = append(variables, sym)
		}
	}

	v.restores = append(v.restores, func(spec *ebpf.CollectionSpec) error {
		m := spec.Maps[section]
		if m == nil {
			return nil
		}
		m.ValueSize = uint32(size)
		m.Contents = nil
		ds, ok := m.Value.(*btf.Datasec)
		if !ok {
			return nil
		}
		ds.Size = uint32(size)

		types := make(map[string]*btf.Var, len(ds.Vars))
		for _, vsi := range ds.Vars {
			if typ, ok := vsi.Type.(*btf.Var); ok {
				types[typ.Name] = typ
			}
		}
		for _, sym := range variables {
			if typ := types[sym.Name]; typ != nil && spec.Variables[sym.Name] == nil {
				spec.Variables[sym.Name] = &ebpf.VariableSpec{
					Name:        sym.Name,
					SectionName: section,
					Offset:      uint32(sym.Value),
					Type:        btf.Copy(typ).(*btf.Var),
				}
			}
		}
		return nil
	})
}
