package btfx

import (
	"debug/elf"
	"iter"
	"slices"
)

// unwrapVariables takes the wrappers off struct_ops variables and map
// definitions: a static that is not to be written needs an UnsafeCell, and a
// struct around it that says that threads may share it.
//
//	static MAP: Map<ArrayDef<u32, u64>>    STRUCT Map {__0: STRUCT UnsafeCell {value: STRUCT ArrayDef}}
//
// Only the type of the VAR changes.
func (t *rustTypes) unwrapVariables() {
	for _, kind := range []sectionKind{opsSection, mapsSection} {
		for index, vars := range t.variables(kind) {
			if kind == mapsSection && t.file.Sections[index].Name != ".maps" {
				continue // no types define the maps there
			}
			for _, v := range vars {
				r := t.at(uint32(v.ID))
				if r.kind() != recVar {
					continue
				}
				inner := t.unwrap(r.sizeOrType())
				if kind == mapsSection {
					inner = t.withoutMarkers(inner)
				}
				r.put(8, inner)
			}
		}
	}
}

// variables yields the variables of each section of a kind, by the index of the
// section. Of several sections of one name the first counts.
func (t *rustTypes) variables(kind sectionKind) iter.Seq2[elf.SectionIndex, []DatasecVar] {
	return func(yield func(elf.SectionIndex, []DatasecVar) bool) {
		seen := make(map[string]bool)
		for i, sec := range t.file.Sections {
			if sec.kind() != kind || seen[sec.Name] {
				continue
			}
			seen[sec.Name] = true
			if !yield(elf.SectionIndex(i), t.file.Datasec(sec.Name)) {
				return
			}
		}
	}
}

// unwrap returns the type in a struct that has one member with a value, which is
// at its start and has its size: member 0 of a tuple struct, or that of an
// UnsafeCell. Only structs are unwrapped, so that one with a single callback
// stays.
func (t *rustTypes) unwrap(id uint32) uint32 {
	for range maxNesting {
		r := t.skip(id)
		if r.kind() != recStruct {
			return id
		}
		inner := uint32(0)
		for i := range r.vlen() {
			name, typ, offset := t.string(r.u32(12+12*i)), r.u32(16+12*i), r.u32(20+12*i)
			size, ok := t.size(typ)
			switch isWrapped := name == "__0" || name == "value"; {
			case ok && size == 0:
			case ok && isWrapped && inner == 0 && offset == 0 && size == uint64(r.sizeOrType()) && t.skip(typ).kind() == recStruct && !t.isOptionFn(typ):
				inner = typ
			default:
				return id
			}
		}
		if inner == 0 {
			return id
		}
		id = inner
	}
	return id
}

// withoutMarkers returns a map definition without the empty structs in it, which
// are there for the compiler, and are no attributes of a map. Of a definition
// that has some it makes another one.
func (t *rustTypes) withoutMarkers(id uint32) uint32 {
	r := t.skip(id)
	if r.kind() != recStruct {
		return id
	}
	t.sortMembers(r)
	var members []uint32
	for i := range r.vlen() {
		if m := t.skip(r.u32(16 + 12*i)); m.kind() != recStruct || m.sizeOrType() != 0 {
			members = append(members, r.u32(12+12*i), r.u32(16+12*i), r.u32(20+12*i))
		}
	}
	if len(members) == 3*r.vlen() {
		return id
	}
	return t.addRecord(slices.Concat([]uint32{t.nameOffset(LegalName(t.name(r))), recStruct<<24 | uint32(len(members)/3), r.sizeOrType()}, members)...)
}
