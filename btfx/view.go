package btfx

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// view is what upstream's reader gets to see of a [File]: an ELF file written
// anew, in which everything that libbpf accepts and upstream does not is hidden
// or shown as something that upstream keeps as it is.
//
// Section indices, symbol indices and BTF type IDs are those of the file;
// symbols and strings are appended. What remains to be undone in the spec is
// recorded while the view is made.
type view struct {
	*File
	sections []viewSection // by section index
	symbols  []Symbol      // the file's and appended ones
	types    *rawBTF       // nil if the file has no BTF

	sectionSymbols map[elf.SectionIndex]int // index into symbols
	sectionExterns map[string]int           // index into symbols of what showOffset refers to
	holes          []string                 // names of the functions that stand for holes
	renamed        map[string]string        // names of sections as upstream sees them
	zeroes         uint64                   // bytes in NOBITS sections that upstream allocates
	restores       []func(*ebpf.CollectionSpec) error
}

// viewSection is a section of a [view]. Its zero value is the null section.
type viewSection struct {
	name        string
	header      elf.Section64 // name, offset and size are filled in when written
	size        uint64        // of NOBITS
	data        []byte
	relocations []Relocation
}

// Spec parses the file with upstream's reader, through a view in which it finds
// nothing that it would refuse. What the spec of a struct_ops object looks like:
//
//   - Struct_ops maps are absent, and programs of type StructOps have an empty
//     AttachTo. Their DATASECs are in Types.
//   - Every use of an extern, weak or not, is a plain reference: a call has Src
//     PseudoCall and Constant -1, a 64-bit load Src 0 and Constant 0, both have
//     the name as Reference. Extern FUNC and VAR types are in Types, the DATASECs
//     .ksyms and .kconfig are not (an anonymous struct without size has their ID).
//   - A variable in the arena is a 64-bit load with Src 0, Reference ".addr_space.1"
//     and its offset in that section as Constant. So is a jump table, with
//     Reference ".jumptables": see [File.JumpTable].
//   - A section .bss.X is a map of that name, with BPF_F_MMAPABLE in its Flags if
//     it has a VariableSpec, as upstream sets that by name for .bss alone.
//   - A NOBITS section larger than 1 MiB is a map without Contents. Its
//     VariableSpecs have a Type, but no Value; [ebpf.NewCollection] does not
//     create such a map and wants it as one of MapReplacements.
//   - Hidden functions in .text and hidden variables are static.
//   - SectionName of an optional program begins with "?".
//   - In an object from Rust ([File.IsRust]) types and functions have a
//     [LegalName], members are in the order of their offsets, char is an integer,
//     members of an ops type that hold functions are pointers to functions,
//     special structs have the kernel's name (BpfSpinLock, BpfTimer ...), and a
//     pointer in a member x__kptr has the type tag kptr, or another that is named
//     so.
//   - A program that names an exception callback in a declaration tag has it.
//
// An object that upstream reads by itself comes out the same, except for the
// above. Each call makes a spec of its own.
func (f *File) Spec() (*ebpf.CollectionSpec, error) {
	spec, err := f.specNaming(textSection)
	if err != nil {
		return nil, err
	}
	if err := f.linkExceptionCallbacks(spec); err != nil {
		return nil, err
	}
	return spec, nil
}

// textSection is where the functions are that are no programs.
const textSection = ".text"

// specNaming parses the file with its section .text shown under another name.
// Upstream keeps the functions of .text only inside the programs that call them.
func (f *File) specNaming(text string) (spec *ebpf.CollectionSpec, err error) {
	v, err := newView(f, text)
	if err != nil {
		return nil, err
	}

	// The view is well-formed ELF, but it is upstream that decodes the BTF and
	// instructions in it.
	defer func() {
		if r := recover(); r != nil {
			spec, err = nil, fmt.Errorf("reading the object panicked: %v", r)
		}
	}()

	spec, err = ebpf.LoadCollectionSpecFromReader(bytes.NewReader(v.marshal()))
	if err != nil {
		return nil, err
	}
	if err := v.restore(spec); err != nil {
		return nil, err
	}
	return spec, nil
}

// newView makes the view of a file, with a name for its section .text.
func newView(f *File, text string) (*view, error) {
	v := &view{
		File:           f,
		symbols:        slices.Clone(f.Symbols),
		sectionSymbols: make(map[elf.SectionIndex]int),
		sectionExterns: make(map[string]int),
		renamed:        make(map[string]string),
	}
	for i, sym := range f.Symbols {
		if sym.Type == elf.STT_SECTION && sym.Binding == elf.STB_LOCAL && sym.Value == 0 {
			v.sectionSymbols[sym.Section] = i
		}
	}

	v.showSections(text)
	v.showSymbols()
	v.showFunctions()
	for _, step := range []func() error{
		v.checkData,
		v.showCode,
		v.showMaps,
		v.showTypes,
		v.showExtInfo,
		v.writeTypes,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// restore undoes in the spec what the view had to pretend.
func (v *view) restore(spec *ebpf.CollectionSpec) error {
	for _, name := range v.holes {
		delete(spec.Programs, name)
	}
	for _, restore := range v.restores {
		if err := restore(spec); err != nil {
			return err
		}
	}
	return nil
}

// showSections decides section by section what upstream sees of it. What it has
// no use for, DWARF above all, is left out or has no contents.
func (v *view) showSections(text string) {
	v.sections = make([]viewSection, len(v.Sections))
	for i, sec := range v.Sections {
		if sec.Type != elf.SHT_PROGBITS && sec.Type != elf.SHT_NOBITS || sec.Name == ".BTF" || sec.Name == ".BTF.ext" {
			continue // written by marshal, showTypes and showExtInfo
		}
		s := viewSection{name: sec.Name, size: sec.Size, data: v.data[i], header: elf.Section64{
			Type:      uint32(sec.Type),
			Flags:     uint64(sec.Flags &^ elf.SHF_COMPRESSED),
			Addralign: v.headers[i].Addralign,
		}}
		switch sec.kind() {
		case dataSection:
			s.relocations = v.countable(sec.Relocations)
			v.showData(i, &s)
		case codeSection, mapsSection, licenseSection:
			// Code and maps get their relocations in showCode and showMaps.
			if sec.Name == textSection {
				s.name = text
			}
		case arenaSection, jumpTableSection, opsSection, otherSection:
			// Closes the gap that cilium/ebpf v0.22.0 refuses .struct_ops, ignores
			// the optional ones, wires two maps of one type at random, and refuses
			// every reference to .addr_space.1. Their size stays, as DATASECs need it.
			s.header.Type = uint32(elf.SHT_NOBITS)
		}
		v.sections[i] = s
	}
}

// countable returns the relocations of data that upstream follows: it counts
// references to decide whether a data section without symbols is in use.
// Anything else in data is ignored. Mirrors libbpf, which relocates no data.
func (v *view) countable(rels []Relocation) []Relocation {
	var kept []Relocation
	for _, rel := range rels {
		if sym := v.Symbols[rel.Symbol]; sym.isDefined() && v.Sections[sym.Section].kind() == dataSection {
			kept = append(kept, rel)
		}
	}
	return kept
}

// showSymbols makes symbols of externs and maps plain global ones.
//
// Closes the gap that cilium/ebpf v0.22.0 refuses weak maps and weak externs
// of .kconfig. Whether an extern is weak is for the loader to ask the File.
func (v *view) showSymbols() {
	for i := range v.symbols[1:] {
		sym := &v.symbols[i+1]
		switch {
		case sym.Section == elf.SHN_UNDEF && sym.Binding != elf.STB_LOCAL:
			sym.Binding, sym.Type, sym.Visibility = elf.STB_GLOBAL, elf.STT_NOTYPE, elf.STV_DEFAULT
		case sym.Binding == elf.STB_WEAK && sym.isDefined() && v.Sections[sym.Section].kind() == mapsSection:
			sym.Binding = elf.STB_GLOBAL
		}
	}
}

// appendSymbol adds a symbol and returns its index.
func (v *view) appendSymbol(sym Symbol) int {
	v.symbols = append(v.symbols, sym)
	return len(v.symbols) - 1
}

// sectionSymbol returns the index of the symbol that stands for a section.
func (v *view) sectionSymbol(section elf.SectionIndex) int {
	index, ok := v.sectionSymbols[section]
	if !ok {
		index = v.appendSymbol(Symbol{Section: section, Type: elf.STT_SECTION, Binding: elf.STB_LOCAL})
		v.sectionSymbols[section] = index
	}
	return index
}

// typeByID returns a type of the spec, of the kind that the view saw.
func typeByID[T btf.Type](spec *ebpf.CollectionSpec, id btf.TypeID) (T, error) {
	var want T
	typ, err := spec.Types.TypeByID(id)
	if err != nil {
		return want, err
	}
	want, ok := typ.(T)
	if !ok {
		return want, fmt.Errorf("BTF type %d: %T, want %T", id, typ, want)
	}
	return want, nil
}
