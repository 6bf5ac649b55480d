package btfx

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Symbol is an entry of the symbol table.
type Symbol struct {
	Name        string
	Value, Size uint64 // in bytes; Value is an offset into the section
	Section     elf.SectionIndex
	Binding     elf.SymBind
	Type        elf.SymType
	Visibility  elf.SymVis
}

// isHidden tells whether the symbol is __hidden.
func (s Symbol) isHidden() bool {
	return s.Visibility == elf.STV_HIDDEN || s.Visibility == elf.STV_INTERNAL
}

// isDefined tells whether Section is the index of a section.
func (s Symbol) isDefined() bool {
	return s.Section != elf.SHN_UNDEF && s.Section < elf.SHN_LORESERVE
}

// isObject tells whether the symbol is a variable that is not static. Mirrors
// libbpf find_elf_var_sym.
func (s Symbol) isObject() bool {
	return s.isDefined() && s.Type == elf.STT_OBJECT && s.Binding != elf.STB_LOCAL
}

// function is a function of an executable section.
type function struct {
	symbol     int    // index into [File.Symbols]
	name       string // unique in the file
	start, end uint64 // in bytes, from the start of the section
}

// sectionKind is what a section is to the loader.
type sectionKind int

const (
	otherSection   sectionKind = iota
	licenseSection             // or version
	codeSection
	mapsSection
	dataSection
	arenaSection
	jumpTableSection
	opsSection
)

const arenaName = ".addr_space.1"

// kind classifies a section. The rules are upstream's, so that it and we agree
// about each section, with those for .bss.X, arena and struct_ops added.
func (s Section) kind() sectionKind {
	hasBits := s.Type == elf.SHT_PROGBITS && s.Size > 0
	switch {
	case isDebug(s.Name), s.Name == ".BTF", s.Name == ".BTF.ext":
		return otherSection
	case strings.HasPrefix(s.Name, "license"), strings.HasPrefix(s.Name, "version"):
		return licenseSection
	case strings.HasPrefix(s.Name, "maps"), s.Name == ".maps":
		return mapsSection
	case s.Name == ".bss", strings.HasPrefix(s.Name, ".bss."), strings.HasPrefix(s.Name, ".data"), strings.HasPrefix(s.Name, ".rodata"):
		return dataSection
	case hasBits && s.Flags&elf.SHF_EXECINSTR != 0:
		return codeSection
	case s.Name == arenaName:
		return arenaSection
	case hasBits && s.Name == jumpTablesName:
		return jumpTableSection
	case hasBits && isStructOps(s.Name):
		return opsSection
	}
	return otherSection
}

// isStructOps tells whether a section holds struct_ops maps. Mirrors the names
// in libbpf bpf_object__elf_collect.
func isStructOps(name string) bool {
	name = strings.TrimPrefix(name, "?")
	return name == ".struct_ops" || name == ".struct_ops.link"
}

// readSymbols reads the symbol table.
func (f *File) readSymbols(io.ReaderAt) error {
	index := -1
	for i, sec := range f.Sections {
		if sec.Type != elf.SHT_SYMTAB {
			continue
		}
		if index >= 0 {
			return fmt.Errorf("section %q: second symbol table", sec.Name)
		}
		index = i
	}
	if index < 0 {
		return errors.New("no symbol table: strip debug information only")
	}

	h, data := f.headers[index], f.data[index]
	if h.Entsize != elfSymbolSize || len(data) < elfSymbolSize || len(data)%elfSymbolSize != 0 {
		return fmt.Errorf("symbol table: %d bytes in entries of %d, want entries of %d", h.Size, h.Entsize, elfSymbolSize)
	}
	if uint64(h.Link) >= uint64(len(f.Sections)) || f.Sections[h.Link].Type != elf.SHT_STRTAB {
		return fmt.Errorf("symbol table: section %d holds no names", h.Link)
	}

	var total int
	names := string(f.data[h.Link])
	f.Symbols = make([]Symbol, len(data)/elfSymbolSize)
	for i := range f.Symbols[1:] {
		sym, err := f.symbol(data[(i+1)*elfSymbolSize:], names)
		if err != nil {
			return fmt.Errorf("symbol %d: %w", i+1, err)
		}
		if total += len(sym.Name); total > maxNames {
			return fmt.Errorf("symbol table: names have more than %d bytes", maxNames)
		}
		f.Symbols[i+1] = sym
	}
	return nil
}

// symbol decodes an entry of the symbol table.
func (f *File) symbol(b []byte, names string) (Symbol, error) {
	sym := Symbol{
		Binding:    elf.ST_BIND(b[4]),
		Type:       elf.ST_TYPE(b[4]),
		Visibility: elf.ST_VISIBILITY(b[5]),
		Section:    elf.SectionIndex(f.ByteOrder.Uint16(b[6:])),
		Value:      f.ByteOrder.Uint64(b[8:]),
		Size:       f.ByteOrder.Uint64(b[16:]),
	}
	if name := f.ByteOrder.Uint32(b); name != 0 {
		var err error
		if sym.Name, err = stringAt(names, name); err != nil {
			return sym, fmt.Errorf("name: %w", err)
		}
	}
	if sym.isDefined() && int(sym.Section) >= len(f.Sections) {
		return sym, fmt.Errorf("%q: section %d, the file has %d", sym.Name, sym.Section, len(f.Sections))
	}
	return sym, nil
}

// readFunctions finds the functions of each executable section.
//
// A function is a symbol of type FUNC, or of no type unless it is local, as
// upstream has it (old versions of LLVM wrote no type). A symbol without type
// whose size is not that of instructions is a label.
func (f *File) readFunctions(io.ReaderAt) error {
	f.functions = make([][]function, len(f.Sections))
	for i, sym := range f.Symbols {
		if !sym.isDefined() || sym.Name == "" || f.Sections[sym.Section].kind() != codeSection {
			continue
		}
		if sym.Type != elf.STT_FUNC && (sym.Type != elf.STT_NOTYPE || sym.Binding == elf.STB_LOCAL) {
			continue
		}

		section := f.Sections[sym.Section]
		switch {
		case sym.Size > 0 && sym.Size%insnSize == 0 && sym.Value%insnSize == 0 && sym.Value <= section.Size && sym.Size <= section.Size-sym.Value:
		case sym.Type == elf.STT_NOTYPE:
			continue // a label
		default:
			return fmt.Errorf("section %q: function %q at offset %d has %d bytes: want instructions of %d within the %d bytes of the section",
				section.Name, sym.Name, sym.Value, sym.Size, insnSize, section.Size)
		}
		f.functions[sym.Section] = append(f.functions[sym.Section], function{i, sym.Name, sym.Value, sym.Value + sym.Size})
	}

	for i, fns := range f.functions {
		if len(fns) == 0 {
			continue
		}
		// The symbol that comes last wins an offset, FUNC before NOTYPE.
		slices.SortStableFunc(fns, func(a, b function) int {
			return cmp.Or(cmp.Compare(a.start, b.start), f.rank(b)-f.rank(a), cmp.Compare(b.symbol, a.symbol))
		})
		fns = slices.CompactFunc(fns, func(a, b function) bool { return a.start == b.start })

		var err error
		if f.functions[i], err = f.disjoint(fns); err != nil {
			return fmt.Errorf("section %q: %w", f.Sections[i].Name, err)
		}
	}

	f.renameFunctions()
	return nil
}

// rank orders symbols at one offset.
func (f *File) rank(fn function) int {
	if f.Symbols[fn.symbol].Type == elf.STT_FUNC {
		return 1
	}
	return 0
}

// disjoint drops what lies within another function without being one itself.
// Upstream decodes function by function and counts instructions, so two that
// overlap would shift the BTF.ext of all that follow.
func (f *File) disjoint(fns []function) ([]function, error) {
	kept := fns[:0]
	for _, fn := range fns {
		if len(kept) == 0 || kept[len(kept)-1].end <= fn.start {
			kept = append(kept, fn)
			continue
		}
		prev := kept[len(kept)-1]
		switch {
		case f.rank(fn) == 0:
		case f.rank(prev) == 0:
			kept[len(kept)-1] = fn
		default:
			return nil, fmt.Errorf("functions %q at offset %d and %q at offset %d overlap", prev.name, prev.start, fn.name, fn.start)
		}
	}
	return kept, nil
}

// renameFunctions gives a static function that shares its name with another
// function or an extern one of its own, by appending the lowest free number:
// upstream knows functions by name. The kernel sees the name in BTF, which
// stays.
func (f *File) renameFunctions() {
	taken := make(map[string]bool, len(f.Symbols))
	for _, sym := range f.Symbols {
		if sym.Binding != elf.STB_LOCAL {
			taken[sym.Name] = true
		}
	}

	suffix := make(map[string]int)
	for _, fns := range f.functions {
		for i := range fns {
			fn := &fns[i]
			if f.Symbols[fn.symbol].Binding != elf.STB_LOCAL {
				continue
			}
			name := fn.name
			for taken[fn.name] {
				suffix[name]++
				fn.name = fmt.Sprintf("%s.%d", name, suffix[name])
			}
			taken[fn.name] = true
		}
	}
}
