package structops

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
)

// The sections that hold struct_ops variables. A leading ? makes the maps of
// the section optional.
const (
	sectionLegacy         = ".struct_ops"
	sectionLink           = ".struct_ops.link"
	sectionLegacyOptional = "?.struct_ops"
	sectionLinkOptional   = "?.struct_ops.link"
)

// Ops is the specification of one struct_ops map: the local value of an ops
// type, and the programs that fill its function members. Both may be edited
// before the object is loaded: they are the shadow of the map.
type Ops struct {
	// Name of the map, which is the name of the variable.
	Name string

	// Section that holds the variable: .struct_ops or .struct_ops.link, both
	// also with a leading ? for a map that is only created on request.
	Section string

	// Type is the local ops type. Its name may carry a flavor.
	Type *btf.Struct

	// Value is the local value, in the object's byte order. Function members
	// are zero. len(Value) == Type.Size.
	Value []byte

	// Programs holds the name of the program that fills each member, by index
	// into Type.Members; empty where the member is NULL or not a function.
	Programs []string

	// object that the map belongs to. It has the programs, and the byte order of
	// the value.
	object *Object
}

// Copy returns a deep copy that shares Type, and belongs to the same object.
func (o *Ops) Copy() *Ops {
	if o == nil {
		return nil
	}
	cpy := *o
	cpy.Value = bytes.Clone(o.Value)
	cpy.Programs = slices.Clone(o.Programs)
	return &cpy
}

// Link tells whether the map is attached through a BPF link (section
// .struct_ops.link) and not by registering its value.
func (o *Ops) Link() bool { return o.Section == sectionLink || o.Section == sectionLinkOptional }

// Optional tells whether the map is left out of a load that does not ask for it.
func (o *Ops) Optional() bool { return optional(o.Section) }

// SetAutocreate makes the map mandatory, or optional with false. Its callbacks
// follow: a program is loaded if a map that is created has it, whatever
// [Object.SetAutoload] and the section of the program say.
//
// Mirrors libbpf bpf_map__set_autocreate and bpf_object_adjust_struct_ops_autoload.
func (o *Ops) SetAutocreate(create bool) error {
	if o == nil {
		return errNoOps
	}
	o.Section = setOptional(o.Section, !create)
	return nil
}

// clearSlots zeroes the bytes under function members: a relocation's addend is
// kept there, and it is no value.
func (o *Ops) clearSlots() {
	for i, prog := range o.Programs {
		if prog != "" {
			off := o.Type.Members[i].Offset.Bytes()
			clear(o.Value[off : off+slotSize])
		}
	}
}

// slotSize is the size in bytes of a function pointer in a BPF object.
const slotSize = 8

// readOps reads the variables of all struct_ops sections and wires their
// function members.
//
// Mirrors libbpf init_struct_ops_maps and bpf_object__collect_st_ops_relos.
func readOps(file *btfx.File, spec *ebpf.CollectionSpec) (map[string]*Ops, error) {
	all := make(map[string]*Ops)
	var errs []error
	for i, sec := range file.Sections {
		if !isOpsSection(sec) {
			continue
		}
		s := opsSection{file: file, spec: spec, index: elf.SectionIndex(i), name: sec.Name}
		if err := s.read(all); err != nil {
			errs = append(errs, fmt.Errorf("section %q: %w", sec.Name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

func isOpsSection(sec btfx.Section) bool {
	switch sec.Name {
	case sectionLegacy, sectionLink, sectionLegacyOptional, sectionLinkOptional:
		return sec.Type == elf.SHT_PROGBITS && sec.Size > 0 && sec.Flags&elf.SHF_EXECINSTR == 0
	}
	return false
}

// opsSection is a struct_ops section while it is read.
type opsSection struct {
	file  *btfx.File
	spec  *ebpf.CollectionSpec
	index elf.SectionIndex
	name  string
	data  []byte
	vars  []opsVar
}

// opsVar is a variable at its place in the section.
type opsVar struct {
	*Ops
	offset uint64
}

func (s *opsSection) read(all map[string]*Ops) error {
	data, err := s.file.Data(s.index)
	if err != nil {
		return err
	}
	s.data = data
	if s.spec.Types == nil {
		return errors.New("the object has no BTF, which struct_ops needs: compile with -g (Rust: -C debuginfo=2 and the linker's --btf)")
	}
	var ds *btf.Datasec
	if err := s.spec.Types.TypeByName(s.name, &ds); err != nil {
		return fmt.Errorf("DATASEC: %w", err)
	}
	if len(ds.Vars) == 0 {
		return errors.New("DATASEC has no VAR")
	}
	for _, info := range ds.Vars {
		ops, err := s.readVar(info)
		if err != nil {
			return err
		}
		if all[ops.Name] != nil || s.spec.Maps[ops.Name] != nil {
			return fmt.Errorf("map %q exists twice", ops.Name)
		}
		all[ops.Name] = ops
		s.vars = append(s.vars, opsVar{ops, uint64(info.Offset)})
	}
	for _, rel := range s.file.Sections[s.index].Relocations {
		if err := s.wire(rel); err != nil {
			return fmt.Errorf("relocation at offset %d: %w", rel.Offset, err)
		}
	}
	for _, v := range s.vars {
		v.clearSlots()
	}
	return nil
}

// readVar makes the Ops of one variable, not wired yet.
func (s *opsSection) readVar(info btf.VarSecinfo) (*Ops, error) {
	v, ok := info.Type.(*btf.Var)
	if !ok {
		return nil, fmt.Errorf("DATASEC entry at offset %d is %v, not a VAR", info.Offset, info.Type)
	}
	typ, ok := btf.UnderlyingType(v.Type).(*btf.Struct)
	if !ok {
		return nil, fmt.Errorf("map %q: type is %v, not a struct", v.Name, btf.UnderlyingType(v.Type))
	}
	if typ.Name == "" {
		return nil, fmt.Errorf("map %q: the struct is anonymous, so it names no ops type: %w", v.Name, ebpf.ErrNotSupported)
	}
	start, end := uint64(info.Offset), uint64(info.Offset)+uint64(typ.Size)
	if end > uint64(len(s.data)) {
		return nil, fmt.Errorf("map %q: initialiser at offset %d with %d bytes of struct %s, section has %d",
			v.Name, start, typ.Size, typ.Name, len(s.data))
	}
	return &Ops{
		Name: v.Name, Section: s.name, Type: typ,
		Value:    bytes.Clone(s.data[start:end]),
		Programs: make([]string, len(typ.Members)),
	}, nil
}

// wire fills the slot that a relocation points at.
func (s *opsSection) wire(rel btfx.Relocation) error {
	i := slices.IndexFunc(s.vars, func(v opsVar) bool {
		return rel.Offset >= v.offset && rel.Offset < v.offset+uint64(v.Type.Size)
	})
	if i < 0 {
		return errors.New("no variable there")
	}
	v := s.vars[i]
	member, err := slotAt(v.Type, rel.Offset-v.offset)
	if err != nil {
		return fmt.Errorf("map %q: %w", v.Name, err)
	}
	prog, err := s.target(rel)
	if err != nil {
		return fmt.Errorf("map %q: member %q: %w", v.Name, v.Type.Members[member].Name, err)
	}
	v.Programs[member] = prog
	return nil
}

// slotAt returns the index of the member that starts at an offset and can hold
// the address of a function.
func slotAt(typ *btf.Struct, offset uint64) (int, error) {
	for i, m := range typ.Members {
		if m.BitfieldSize != 0 || uint64(m.Offset) != offset*8 {
			continue
		}
		// A struct or array may begin with a function pointer, but the kernel
		// knows callbacks in members of the ops type only.
		ptr, ok := btf.As[*btf.Pointer](m.Type)
		if !ok {
			return 0, fmt.Errorf("member %q is %v, not a pointer to a function", m.Name, btf.UnderlyingType(m.Type))
		}
		if _, ok := btf.As[*btf.FuncProto](ptr.Target); !ok {
			return 0, fmt.Errorf("member %q points to %v, not to a function: only callbacks can have an address", m.Name, btf.UnderlyingType(ptr.Target))
		}
		return i, nil
	}
	return 0, fmt.Errorf("no member of struct %s begins at its offset %d: callbacks in nested structs are not supported", typ.Name, offset)
}

// target returns the name of the program that a relocation points at: the one
// that begins at (section, symbol value + addend), whatever its name.
func (s *opsSection) target(rel btfx.Relocation) (string, error) {
	if rel.Symbol < 0 || rel.Symbol >= len(s.file.Symbols) {
		return "", fmt.Errorf("symbol %d doesn't exist", rel.Symbol)
	}
	sym := s.file.Symbols[rel.Symbol]
	if sym.Section == elf.SHN_UNDEF || sym.Section >= elf.SHN_LORESERVE {
		return "", fmt.Errorf("symbol %q is not defined in the object (section %v)", sym.Name, sym.Section)
	}
	if rel.Offset > uint64(len(s.data)) || uint64(len(s.data))-rel.Offset < slotSize {
		return "", fmt.Errorf("beyond the section's %d bytes", len(s.data))
	}
	addend := s.file.ByteOrder.Uint64(s.data[rel.Offset:])
	fn, ok := s.file.FunctionAt(sym.Section, sym.Value+addend)
	if !ok {
		return "", fmt.Errorf("no function at offset %d of section %q", sym.Value+addend, s.sectionName(sym.Section))
	}
	prog := s.spec.Programs[fn.Name]
	if prog == nil {
		return "", fmt.Errorf("function %q in section %q is not a program", fn.Name, s.sectionName(sym.Section))
	}
	if prog.Type != ebpf.StructOps {
		return "", fmt.Errorf("program %q in section %q has type %s, not struct_ops", fn.Name, prog.SectionName, prog.Type)
	}
	return fn.Name, nil
}

func (s *opsSection) sectionName(i elf.SectionIndex) string {
	if int(i) >= len(s.file.Sections) {
		return i.String()
	}
	return s.file.Sections[i].Name
}
