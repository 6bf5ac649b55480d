package btfx

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/cilium/ebpf/btf"
)

// SanitizeExterns makes externs in raw BTF, as clang writes them, acceptable to
// BPF_BTF_LOAD. The BTF may have either byte order, and is not changed.
//
//   - An extern function becomes a global one with names for all parameters.
//   - An extern variable becomes a global one. Its type is a 4-byte INT unless a
//     DATASEC other than .ksyms places it.
//   - Entries of .ksyms have 4 bytes each; those of functions refer to a VAR
//     dummy_ksym, as a DATASEC takes nothing but variables.
//   - Variables of .kconfig are laid out by descending alignment, then by size and
//     name.
//
// Type IDs and offsets of strings stay, new ones are appended. Twice is the same as once.
// Other DATASECs are left as they are: those of a BPF file have no size yet, see
// [File.BTF].
//
// Mirrors libbpf bpf_object__collect_externs and add_dummy_ksym_var. Differs from
// libbpf: externs outside of .ksyms and .kconfig are no error, and the entries of
// .kconfig are sorted by their new offset, as the kernel wants them.
func SanitizeExterns(raw []byte) ([]byte, error) {
	e, err := newEditor(raw)
	if err != nil {
		return nil, err
	}
	if err := e.sanitizeExterns(); err != nil {
		return nil, err
	}
	return e.marshal(), nil
}

// BTF returns the raw BTF of the file as BPF_BTF_LOAD takes it, in the file's
// byte order. Type IDs are those of the file, so .BTF.ext stays valid beside it.
//
// DATASECs get the size, and their variables the offsets, that clang leaves to
// the loader; hidden functions and variables become static; unnamed parameters
// get names; externs become what [SanitizeExterns] makes of them. In a Rust
// object names and members are edited as [File.Spec] does.
//
// It is for those who load a file's BTF by themselves: [NewBuilder] makes
// that of a spec, without externs.
//
// Mirrors libbpf btf_fixup_datasec and bpf_object__sanitize_and_load_btf. Differs
// from libbpf, which names the parameters of externs alone.
//
// Returns an error wrapping [btf.ErrNotFound] if the file has no BTF.
func (f *File) BTF() ([]byte, error) {
	if f.types == nil {
		return nil, fmt.Errorf("section %q: %w", ".BTF", btf.ErrNotFound)
	}

	// Some of it the view does for upstream as well.
	v := &view{File: f, types: &rawBTF{order: f.ByteOrder, types: f.types.types, strings: f.types.strings}}
	isRust := f.IsRust()
	if isRust {
		if err := v.showRust(); err != nil {
			return nil, fmt.Errorf("section %q: %w", ".BTF", err)
		}
	}
	e, err := newEditor(v.types.marshal())
	if err != nil {
		return nil, err
	}
	v.types = e.rawBTF
	hidden := v.hiddenFunctions()
	for _, r := range e.records[1:] {
		switch r.kind() {
		case recFunc:
			if r.vlen() == btfFuncGlobal && hidden[e.name(r)] {
				r.putInfo(recFunc, btfFuncStatic)
			}
			v.nameParameters(r, e.records)
		case recVar:
			// Symbols have the same name, which upstream needs and the kernel doesn't.
			if name := e.name(r); isRust && !isIdentifier(name) {
				r.put(0, e.addString(LegalName(name)))
			}
		case recDatasec:
			if err := e.fillDatasec(r, f); err != nil {
				return nil, err
			}
		}
	}
	if err := e.sanitizeExterns(); err != nil {
		return nil, err
	}
	return e.marshal(), nil
}

// fillDatasec gives a DATASEC the size of its section, and its variables the
// offset and visibility of their symbols.
func (e *editor) fillDatasec(r record, f *File) error {
	name := e.name(r)
	if isVirtualDatasec(name) {
		return nil
	}

	objects := f.objects(name)
	for i, entry := range f.datasecVars(r) {
		r.putEntry(i, uint32(entry.ID), entry.Offset, entry.Size)
		if sym, ok := objects[entry.Name]; ok && sym.isHidden() && e.at(uint32(entry.ID)).kind() == recVar {
			e.at(uint32(entry.ID)).put(12, btfVarStatic)
		}
	}
	if r.sizeOrType() != 0 {
		return nil
	}
	index := slices.IndexFunc(f.Sections, func(s Section) bool { return s.Name == name })
	if index < 0 {
		return fmt.Errorf("DATASEC %q: no section of that name tells its size", name)
	}
	size := f.Sections[index].Size
	if size > math.MaxUint32 {
		return fmt.Errorf("DATASEC %q: the section has %d bytes, want no more than %d", name, size, uint32(math.MaxUint32))
	}
	r.put(8, uint32(size))
	return nil
}

// putEntry writes one entry of a DATASEC; offset and size are in bytes.
func (r record) putEntry(i int, id, offset, size uint32) {
	r.put(12+12*i, id)
	r.put(16+12*i, offset)
	r.put(20+12*i, size)
}

// sanitizeExterns edits all externs.
func (e *editor) sanitizeExterns() error {
	x := &externEditor{editor: e, placed: make(map[uint32]bool)}
	for _, r := range e.records[1:] {
		if r.kind() == recDatasec && e.name(r) != ".ksyms" {
			for i := range r.vlen() {
				x.placed[r.u32(12+12*i)] = true
			}
		}
	}

	for _, r := range e.records[1:] {
		switch r.kind() {
		case recFunc:
			if r.vlen() == btfFuncExtern {
				x.function(r)
			}
		case recVar:
			if r.u32(12) == btfVarExtern {
				x.variable(r)
			}
		case recDatasec:
			switch e.name(r) {
			case ".ksyms":
				x.ksyms(r)
			case ".kconfig":
				if err := x.kconfig(r); err != nil {
					return fmt.Errorf("DATASEC %q: %w", ".kconfig", err)
				}
			}
		}
	}
	return nil
}

// externEditor edits externs. What it appends it does when first needed.
type externEditor struct {
	*editor
	placed map[uint32]bool // types in a DATASEC other than .ksyms

	dummyName, dummyVar, intID uint32 // 0 if there is none yet
}

// function makes an extern function global.
func (x *externEditor) function(r record) {
	r.putInfo(recFunc, btfFuncGlobal)
	proto := x.at(r.sizeOrType())
	if proto.kind() != recFuncProto {
		return
	}
	for i := range proto.vlen() {
		// A last parameter without a type stands for variable arguments.
		if proto.u32(12+8*i) == 0 && proto.u32(16+8*i) != 0 {
			proto.put(12+8*i, x.dummy())
		}
	}
}

// variable makes an extern variable global.
func (x *externEditor) variable(r record) {
	r.put(12, btfVarGlobal)
	if !x.placed[uint32(r.id)] {
		r.put(8, x.int())
	}
}

// ksyms lays out .ksyms.
func (x *externEditor) ksyms(r record) {
	const size = 4
	for i := range r.vlen() {
		id := r.u32(12 + 12*i)
		if x.at(id).kind() == recFunc {
			if x.dummyVar == 0 {
				x.dummyVar = x.addRecord(x.dummy(), recVar<<24, x.int(), btfVarGlobal)
			}
			id = x.dummyVar
		}
		r.putEntry(i, id, uint32(size*i), size)
	}
	r.put(8, uint32(size*r.vlen()))
}

// dummy returns the offset of the name that stands for what has none.
func (x *externEditor) dummy() uint32 {
	if x.dummyName == 0 {
		x.dummyName = x.addString("dummy_ksym")
	}
	return x.dummyName
}

// int returns the ID of an INT of 4 bytes. Mirrors libbpf find_int_btf_id.
func (x *externEditor) int() uint32 {
	const size, signed = 4, 1 << 24
	if x.intID != 0 {
		return x.intID
	}
	for _, r := range x.records[1:] {
		if r.kind() == recInt && r.sizeOrType() == size && r.u32(12)&0xffffff == 8*size {
			x.intID = uint32(r.id)
			return x.intID
		}
	}
	x.intID = x.addRecord(x.addString("int"), recInt<<24, size, signed|8*size)
	return x.intID
}

// kconfig lays out .kconfig.
func (x *externEditor) kconfig(r record) error {
	type value struct {
		name            string
		id, size, align uint32 // sizes in bytes
	}
	values := make([]value, r.vlen())
	for i := range values {
		id := r.u32(12 + 12*i)
		variable := x.at(id)
		if variable.kind() != recVar {
			return fmt.Errorf("BTF type %d is not a variable", id)
		}
		name := x.name(variable)
		size, align, err := x.sizeOf(variable.sizeOrType())
		if err != nil {
			return fmt.Errorf("variable %q: %w", name, err)
		}
		values[i] = value{name, id, size, align}
	}
	slices.SortStableFunc(values, func(a, b value) int {
		return cmp.Or(cmp.Compare(b.align, a.align), cmp.Compare(a.size, b.size), cmp.Compare(a.name, b.name))
	})

	var end uint64
	for i, v := range values {
		offset := (end + uint64(v.align) - 1) &^ (uint64(v.align) - 1)
		if end = offset + uint64(v.size); end > math.MaxUint32 {
			return fmt.Errorf("variables have more than %d bytes", uint32(math.MaxUint32))
		}
		r.putEntry(i, v.id, uint32(offset), v.size)
	}
	r.put(8, uint32(end))
	return nil
}

// sizeOf returns size and alignment, in bytes, of a type that a kconfig value
// can have: a number, an enum, or an array of them.
func (x *externEditor) sizeOf(id uint32) (size, align uint32, err error) {
	const maxDepth = 32 // as deep as the kernel resolves
	count := uint64(1)
	for range maxDepth {
		switch r := x.at(id); r.kind() {
		case recTypedef, recVolatile, recConst, recRestrict, recTypeTag:
			id = r.sizeOrType()
		case recArray:
			id = r.u32(12)
			if count *= uint64(r.u32(20)); count > math.MaxUint32 {
				return 0, 0, fmt.Errorf("array has more than %d elements", uint32(math.MaxUint32))
			}
		case recInt, recEnum, recEnum64:
			align = r.sizeOrType()
			if align == 0 || align > 8 || align&(align-1) != 0 {
				return 0, 0, fmt.Errorf("number of %d bytes, want 1, 2, 4 or 8", align)
			}
			if count *= uint64(align); count == 0 || count > math.MaxUint32 {
				return 0, 0, fmt.Errorf("array of %d bytes", count)
			}
			return uint32(count), align, nil
		default:
			return 0, 0, fmt.Errorf("type is %s, want a number, an enum or an array of them", Kind(r.kind()))
		}
	}
	return 0, 0, fmt.Errorf("type is more than %d levels deep", maxDepth)
}
