package btfx

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// IsRust tells whether a part of the object was compiled from Rust. The sign
// that survives stripping is the name of a source file in the line info that
// ends in .rs; without line info it is a function or variable whose name Rust
// mangled.
//
// Only for such objects [File.Spec] edits types, and only there a member of an
// ops type may be of another kind than the kernel's.
func (f *File) IsRust() bool {
	if index := f.sectionIndex(".BTF.ext"); index >= 0 && f.types != nil {
		if parts, err := extParts(f.data[index], f.ByteOrder); err == nil && len(parts[lineInfo]) > 0 {
			return bytes.Contains(f.types.strings, []byte(".rs\x00")) && f.hasRustFile(parts[lineInfo])
		}
	}
	return slices.ContainsFunc(f.Symbols, func(sym Symbol) bool { return sym.isDefined() && isMangled(sym.Name) })
}

// lineInfo is the index of line_info in [extKinds].
const lineInfo = 1

// sectionIndex returns the index of the first section of a name, negative if
// there is none.
func (f *File) sectionIndex(name string) elf.SectionIndex {
	return elf.SectionIndex(slices.IndexFunc(f.Sections, func(s Section) bool { return s.Name == name }))
}

// hasRustFile looks for the name of a Rust source file in line info.
func (f *File) hasRustFile(part []byte) bool {
	if len(part) < 4 {
		return false
	}
	size := uint64(f.ByteOrder.Uint32(part))
	if size < uint64(extKinds[lineInfo].size) {
		return false
	}

	last := uint32(0) // name that is known to be another one
	for part = part[4:]; len(part) >= 8; {
		count := uint64(f.ByteOrder.Uint32(part[4:]))
		part = part[8:]
		if count*size > uint64(len(part)) {
			return false
		}
		for ; count > 0; count, part = count-1, part[size:] {
			name := f.ByteOrder.Uint32(part[4:])
			if name == last {
				continue
			}
			if bytes.HasSuffix(f.types.bytes(name), []byte(".rs")) {
				return true
			}
			last = name
		}
	}
	return false
}

// isMangled tells whether Rust made a symbol: _R in its newer scheme, and in the
// older one _ZN with a hash of 16 digits at the end.
func isMangled(symbol string) bool {
	if strings.HasPrefix(symbol, "_RNv") || strings.HasPrefix(symbol, "_RIN") {
		return true
	}
	hash, ok := strings.CutSuffix(symbol, "E")
	if i := len(hash) - len("17h") - 16; ok && strings.HasPrefix(symbol, "_ZN") && i > 0 {
		return hash[i:][:3] == "17h" && strings.Trim(hash[i+3:], "0123456789abcdef") == ""
	}
	return false
}

// rustTypes edits the BTF of a Rust object, so that the kernel accepts it and
// struct_ops and BTF maps look like those of C.
//
// Closes the gaps that neither cilium/ebpf v0.22.0 nor libbpf changes a record
// which the kernel refuses ("Invalid name", "Invalid member bits_offset",
// "Invalid type_id"), and that both want C's kinds of members in ops types and
// map definitions.
//
// Each edit looks at what a record is, not at what was done before: a second
// run changes nothing.
type rustTypes struct {
	*editor
	file *File

	names    map[string]uint32 // offsets of appended strings
	char     uint32            // type ID of char, 0 before it is needed
	callback uint32            // type ID of a pointer to a function, 0 before it is needed
}

// showRust edits the types of a Rust object.
func (v *view) showRust() error {
	e, err := newEditor(v.data[v.sectionIndex(".BTF")])
	if err != nil {
		return err
	}
	t := &rustTypes{editor: e, file: v.File, names: make(map[string]uint32)}
	if err := t.check(); err != nil {
		return err
	}
	found := len(t.records)
	t.unwrapVariables()
	t.fillCallbacks()
	for i := 1; i < len(t.records); i++ { // some are appended meanwhile
		r := t.records[i]
		t.nameSpecial(r)
		t.tagKptrs(r)
		t.describeChars(r)
		t.sortMembers(r)
		t.legalise(r)
	}
	v.types.types = t.types
	for _, r := range t.records[found:] {
		v.types.types = append(v.types.types, r.raw...)
	}
	v.types.strings = t.strings
	v.legaliseVariables()
	return nil
}

// check refuses references to what doesn't exist, and would once something has
// been appended.
func (t *rustTypes) check() error {
	for _, r := range t.records[1:] {
		for id := range r.references {
			if uint64(id) >= uint64(len(t.records)) {
				return fmt.Errorf("BTF type %d: refers to type %d, the last one is %d", r.id, id, len(t.records)-1)
			}
		}
		for _, offset := range nameOffsets(r) {
			if name := r.u32(offset); uint64(name) >= uint64(len(t.strings)) {
				return fmt.Errorf("BTF type %d: name at offset %d of %d bytes", r.id, name, len(t.strings))
			}
		}
	}
	return nil
}

// nameOffsets returns where in a record the offsets of names are: of the type,
// and of members, enumerators or parameters.
func nameOffsets(r record) []int {
	offsets := []int{0}
	switch r.kind() {
	case recStruct, recUnion, recEnum64:
		for i := range r.vlen() {
			offsets = append(offsets, 12+12*i)
		}
	case recEnum, recFuncProto:
		for i := range r.vlen() {
			offsets = append(offsets, 12+8*i)
		}
	}
	return offsets
}

// addRecord appends a record and returns its type ID.
func (t *rustTypes) addRecord(words ...uint32) uint32 {
	r := record{t.order, btf.TypeID(len(t.records)), make([]byte, 4*len(words))}
	for i, word := range words {
		r.put(4*i, word)
	}
	t.records = append(t.records, r)
	return uint32(r.id)
}

// nameOffset appends a string, once, and returns its offset.
func (t *rustTypes) nameOffset(name string) uint32 {
	offset, ok := t.names[name]
	if !ok {
		offset = t.addString(name)
		t.names[name] = offset
	}
	return offset
}

// maxNesting bounds how deep a type is followed. The kernel resolves no deeper.
const maxNesting = 32

// skip follows modifiers and typedefs.
func (t *rustTypes) skip(id uint32) record {
	r := t.at(id)
	for range maxNesting {
		switch r.kind() {
		case recTypedef, recConst, recVolatile, recRestrict, recTypeTag:
			r = t.at(r.sizeOrType())
		default:
			return r
		}
	}
	return t.at(0)
}

// size returns the size of a type in bytes. Not ok if it has none.
func (t *rustTypes) size(id uint32) (size uint64, ok bool) {
	count := uint64(1)
	for range maxNesting {
		r := t.skip(id)
		switch r.kind() {
		case recInt, recStruct, recUnion, recEnum, recEnum64, recFloat:
			return count * uint64(r.sizeOrType()), count < 1<<32
		case recPtr:
			return count * 8, count < 1<<32
		case recArray:
			if count *= uint64(r.u32(20)); count >= 1<<32 {
				return 0, false
			}
			id = r.u32(12)
		default:
			return 0, false
		}
	}
	return 0, false
}
