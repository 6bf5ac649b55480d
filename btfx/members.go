package btfx

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// sortMembers sorts the members of a struct by offset, as the kernel wants
// them. rustc writes them in the order of the source and lays them out in
// another.
func (t *rustTypes) sortMembers(r record) {
	if r.kind() != recStruct {
		return
	}
	const size = 12
	members := make([][]byte, r.vlen())
	for i := range members {
		members[i] = r.raw[12+size*i:][:size]
	}
	offset := func(member []byte) uint32 {
		offset := r.order.Uint32(member[8:])
		if r.u32(4)>>31 != 0 {
			offset &= 1<<24 - 1 // the rest is the size of a bitfield
		}
		return offset
	}
	compare := func(a, b []byte) int { return cmp.Compare(offset(a), offset(b)) }
	if !slices.IsSortedFunc(members, compare) {
		slices.SortStableFunc(members, compare)
		copy(r.raw[12:], bytes.Join(members, nil))
	}
}

// charSize is the size in bytes of a char. LLVM has no BTF for one and makes it
// void, which nothing but a pointer may refer to.
const charSize = 4

// describeChars makes a void that has a value an integer of the size of a char.
func (t *rustTypes) describeChars(r record) {
	switch r.kind() {
	case recStruct, recUnion:
		for i := range r.vlen() {
			t.describeChar(r, 16+12*i)
		}
	case recFuncProto:
		for i := range r.vlen() {
			if r.u32(12+8*i) != 0 { // without a name it would be `...`
				t.describeChar(r, 16+8*i)
			}
		}
	case recArray:
		t.describeChar(r, 12)
	case recVar:
		if r.u32(12) != btfVarExtern { // else it is a ksym without a type
			t.describeChar(r, 8)
		}
	}
}

func (t *rustTypes) describeChar(r record, offset int) {
	if r.u32(offset) != 0 {
		return
	}
	if t.char == 0 {
		t.char = t.addRecord(t.nameOffset("char"), recInt<<24, charSize, charSize*8)
	}
	r.put(offset, t.char)
}

// fillCallbacks makes each member of an ops type that holds a function what it is
// in C, a pointer to a function: a member of type Option<fn>, and any other of
// the same size that a relocation fills with the address of code.
//
// The member refers to another type, the type that it had stays: data may have
// it as well.
func (t *rustTypes) fillCallbacks() {
	filled := make(map[btf.TypeID]bool)
	for index, vars := range t.variables(opsSection) {
		for _, v := range vars {
			ops := t.skip(t.at(uint32(v.ID)).sizeOrType())
			if ops.kind() != recStruct || filled[ops.id] {
				continue
			}
			filled[ops.id] = true
			for i := range ops.vlen() {
				if t.isOptionFn(ops.u32(16 + 12*i)) {
					t.fillCallback(ops, i)
				}
			}
		}
		for _, rel := range t.file.Sections[index].Relocations {
			sym := t.file.Symbols[rel.Symbol]
			if !sym.isDefined() || t.file.Sections[sym.Section].kind() != codeSection {
				continue
			}
			if ops, i, ok := t.memberAt(vars, rel.Offset); ok {
				t.fillCallback(ops, i)
			}
		}
	}
}

// memberAt returns the member that begins at an offset of a section with
// struct_ops variables, by its index in the ops type.
func (t *rustTypes) memberAt(vars []DatasecVar, offset uint64) (ops record, index int, ok bool) {
	for _, v := range vars {
		ops := t.skip(t.at(uint32(v.ID)).sizeOrType())
		if ops.kind() != recStruct || offset < uint64(v.Offset) || offset-uint64(v.Offset) >= uint64(ops.sizeOrType()) {
			continue
		}
		for i := range ops.vlen() {
			if uint64(ops.u32(20+12*i)) == 8*(offset-uint64(v.Offset)) {
				if size, ok := t.size(ops.u32(16 + 12*i)); ok && size == 8 {
					return ops, i, true
				}
			}
		}
	}
	return ops, 0, false
}

// fillCallback makes a member a pointer to a function, unless it is one.
func (t *rustTypes) fillCallback(ops record, index int) {
	if member := 16 + 12*index; !t.isCallback(ops.u32(member)) {
		ops.put(member, t.callbackType())
	}
}

// callbackType returns the type ID of a pointer to a function.
func (t *rustTypes) callbackType() uint32 {
	if t.callback == 0 {
		proto := t.addRecord(0, recFuncProto<<24, 0)
		t.callback = t.addRecord(0, recPtr<<24, proto)
	}
	return t.callback
}

// isCallback tells whether a type is a pointer to a function.
func (t *rustTypes) isCallback(id uint32) bool {
	ptr := t.skip(id)
	return ptr.kind() == recPtr && t.skip(ptr.sizeOrType()).kind() == recFuncProto
}

// isOptionFn tells from its name whether a struct is an Option of a function
// pointer. bpf-linker leaves no more than the name.
func (t *rustTypes) isOptionFn(id uint32) bool {
	r := t.skip(id)
	if r.kind() != recStruct {
		return false
	}
	name, ok := strings.CutPrefix(LegalName(t.name(r)), LegalName("Option<"))
	if !ok {
		return false
	}
	if rest, ok := strings.CutPrefix(name, LegalName("for<")); ok {
		_, name, _ = strings.Cut(rest, LegalName("> "))
	}
	name = strings.TrimPrefix(name, LegalName("unsafe "))
	if rest, ok := strings.CutPrefix(name, LegalName(`extern "`)); ok {
		_, name, _ = strings.Cut(rest, LegalName(`" `))
	}
	return strings.HasPrefix(name, LegalName("fn("))
}
