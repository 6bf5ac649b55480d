package btfx

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// File holds the facts of a BPF ELF file that an [ebpf.CollectionSpec] loses.
//
// A File is not changed after [NewFile] returned and is safe for concurrent
// use, as long as the caller leaves it alone as well.
type File struct {
	ByteOrder binary.ByteOrder
	// Sections by ELF section index.
	Sections []Section
	// Symbols by index in the symbol table; Symbols[0] is the null symbol.
	Symbols []Symbol

	headers   []elf.Section64 // by section index
	data      [][]byte        // by section index; nil for NOBITS and debug sections
	functions [][]function    // by section index, each in ascending order
	types     *rawBTF         // nil if the file has no BTF
}

// Section is an ELF section.
type Section struct {
	Name  string
	Type  elf.SectionType
	Flags elf.SectionFlag
	Size  uint64 // in bytes, also for NOBITS
	// Relocations that apply to the section, by ascending offset. Empty unless
	// it holds code, data, maps or struct_ops.
	Relocations []Relocation
}

// Relocation is one REL entry. The addend is in the section's data.
type Relocation struct {
	Offset uint64 // in bytes, from the start of the section
	Type   uint32
	Symbol int // index into [File.Symbols]
}

// DatasecVar is one entry of a BTF DATASEC.
type DatasecVar struct {
	Name         string
	ID           btf.TypeID // of the VAR or FUNC
	Offset, Size uint32     // in bytes
}

// NewFile reads the facts of an ELF file: ELF64 of either byte order, for the
// machine BPF (or none, as old versions of LLVM wrote), relocatable.
//
// The file is read once and not kept. Every size and index in it is checked, so
// a broken file gives an error here and no surprise later.
func NewFile(r io.ReaderAt) (*File, error) {
	f := new(File)
	for _, step := range []func(io.ReaderAt) error{
		f.readHeaders,
		f.readSections,
		f.readSymbols,
		f.readRelocations,
		f.readFunctions,
		f.readTypes,
	} {
		if err := step(r); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Data returns the contents of a section; nil for NOBITS. The caller must not
// change it. Returns an error if there is no such section, or if it belongs to
// DWARF, which is not read.
func (f *File) Data(index elf.SectionIndex) ([]byte, error) {
	if int(index) >= len(f.Sections) {
		return nil, fmt.Errorf("section %d: the file has %d", index, len(f.Sections))
	}
	if sec := f.Sections[index]; isDebug(sec.Name) {
		return nil, fmt.Errorf("section %q: debug information is not read", sec.Name)
	}
	return f.data[index], nil
}

// Undefined returns the undefined symbol of that name.
func (f *File) Undefined(name string) (Symbol, bool) {
	for _, sym := range f.Symbols[1:] {
		if sym.Section == elf.SHN_UNDEF && sym.Name == name {
			return sym, true
		}
	}
	return Symbol{}, false
}

// Datasec returns the entries of a DATASEC by ascending offset, also of the
// virtual ones (.ksyms, .kconfig) that the view hides; those keep the order and
// the offsets of the file. Nil if there is none.
//
// Clang leaves the offset of a variable to the loader where the variable has a
// global symbol: it is the symbol's. Mirrors libbpf btf_fixup_datasec.
func (f *File) Datasec(name string) []DatasecVar {
	if f.types == nil {
		return nil
	}

	var vars []DatasecVar
	for r := range f.types.records() {
		if r.kind() == recDatasec && f.types.name(r) == name {
			vars = f.datasecVars(r)
			break
		}
	}
	return vars
}

// datasecVars returns the entries of one DATASEC.
func (f *File) datasecVars(datasec record) []DatasecVar {
	types := make(map[btf.TypeID]record, datasec.vlen())
	for i := range datasec.vlen() {
		types[btf.TypeID(datasec.u32(12+12*i))] = record{}
	}
	for r := range f.types.records() {
		if _, ok := types[r.id]; ok {
			types[r.id] = r
		}
	}

	section := f.types.name(datasec)
	var objects map[string]Symbol
	if datasec.sizeOrType() == 0 && !isVirtualDatasec(section) {
		objects = f.objects(section)
	}

	vars := make([]DatasecVar, 0, datasec.vlen())
	for i := range datasec.vlen() {
		v := DatasecVar{
			ID:     btf.TypeID(datasec.u32(12 + 12*i)),
			Offset: datasec.u32(16 + 12*i),
			Size:   datasec.u32(20 + 12*i),
		}
		if r := types[v.ID]; r.raw != nil {
			v.Name = f.types.name(r)
			if sym, ok := objects[v.Name]; ok && r.kind() == recVar && r.u32(12) != btfVarStatic {
				v.Offset = uint32(sym.Value)
			}
		}
		vars = append(vars, v)
	}

	if !isVirtualDatasec(section) {
		slices.SortStableFunc(vars, func(a, b DatasecVar) int { return cmp.Compare(a.Offset, b.Offset) })
	}
	return vars
}

// objects returns the variables of a section that are not static, by name.
func (f *File) objects(section string) map[string]Symbol {
	objects := make(map[string]Symbol)
	for _, sym := range f.Symbols {
		if sym.isObject() && f.Sections[sym.Section].Name == section {
			objects[sym.Name] = sym
		}
	}
	return objects
}

// FunctionAt returns the function that starts at an offset of an executable
// section.
//
// Its Name is that of the program or function in the spec. It differs from the
// name in the symbol table only where two static functions share one, as they
// may after static linking. Of several symbols at one offset the last counts,
// as upstream has it.
func (f *File) FunctionAt(section elf.SectionIndex, offset uint64) (Symbol, bool) {
	i, ok := f.functionIndex(section, offset)
	if !ok {
		return Symbol{}, false
	}
	fn := f.functions[section][i]
	sym := f.Symbols[fn.symbol]
	sym.Name = fn.name
	return sym, true
}

// functionIndex finds a function in the functions of a section.
func (f *File) functionIndex(section elf.SectionIndex, offset uint64) (int, bool) {
	if int(section) >= len(f.functions) {
		return 0, false
	}
	return slices.BinarySearchFunc(f.functions[section], offset, func(fn function, offset uint64) int {
		return cmp.Compare(fn.start, offset)
	})
}

// isBigEndian tells the byte order of the object.
func (f *File) isBigEndian() bool { return f.ByteOrder == binary.BigEndian }

// readTypes finds the raw BTF and checks all its records.
func (f *File) readTypes(io.ReaderAt) error {
	index := slices.IndexFunc(f.Sections, func(s Section) bool { return s.Name == ".BTF" })
	if index < 0 || f.data[index] == nil {
		return nil
	}

	types, err := newRawBTF(f.data[index])
	if err != nil {
		return fmt.Errorf("section %q: %w", ".BTF", err)
	}
	if types.order != f.ByteOrder {
		return fmt.Errorf("section %q: BTF is %s, the file %s", ".BTF", types.order, f.ByteOrder)
	}

	if err := types.check(); err != nil {
		return fmt.Errorf("section %q: %w", ".BTF", err)
	}
	f.types = types
	return nil
}

// The linkage of a VAR, BTF_VAR_*.
const (
	btfVarStatic = 0
	btfVarGlobal = 1
	btfVarExtern = 2
)

// isVirtualDatasec tells whether a DATASEC has no section of its name: its
// variables are externs.
func isVirtualDatasec(name string) bool { return name == ".ksyms" || name == ".kconfig" }

// isDebug tells whether a section belongs to DWARF, which nothing here reads.
func isDebug(name string) bool {
	return strings.HasPrefix(name, ".debug") || strings.HasPrefix(name, ".rel.debug") || strings.HasPrefix(name, ".rela.debug")
}
