package btfx

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// maxName is the longest name in bytes that every kernel takes: KSYM_NAME_LEN
// was 128 before Linux 6.1 (b8a94bfb3395).
const maxName = 127

// LegalName returns the name under which the kernel knows a type or function.
// Of a name that is no identifier in C it keeps letters, digits and
// underscores, and writes any other byte as its number in hex between
// underscores: "Option<u32>" becomes "Option_3C_u32_3E_". What is longer than
// 127 bytes ends in a hash.
//
// Mirrors bpf-linker, which does the same to what it links, with 128 bytes.
func LegalName(name string) string {
	if isIdentifier(name) && len(name) <= maxName {
		return name
	}
	var b strings.Builder
	if name != "" && '0' <= name[0] && name[0] <= '9' {
		b.WriteByte('_')
	}
	for _, c := range []byte(name) {
		if isIdentifierByte(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%X_", c)
		}
	}
	legal := b.String()
	if len(legal) <= maxName {
		return legal
	}
	h := fnv.New64a()
	h.Write([]byte(legal))
	hash := fmt.Sprintf("_%016X", h.Sum64())
	return legal[:maxName-len(hash)] + hash
}

// isIdentifier tells whether a name is an identifier in C, or empty.
func isIdentifier(name string) bool {
	for i := range len(name) {
		if !isIdentifierByte(name[i]) || i == 0 && '0' <= name[0] && name[0] <= '9' {
			return false
		}
	}
	return true
}

func isIdentifierByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// RustNames returns the names of the object's types and functions that the
// kernel knows by another, by their [LegalName]: what a verifier log has is
// the key. Nil unless [File.IsRust].
//
// bpf-linker has changed the names in the object already. They are taken for
// what they stand for; a cut one is left as it is.
func (f *File) RustNames() map[string]string {
	if f.types == nil || !f.IsRust() {
		return nil
	}
	names := make(map[string]string)
	for r := range f.types.records() {
		if !hasLegalName(r.kind()) {
			continue
		}
		name := f.types.name(r)
		if legal := LegalName(name); legal != name {
			names[legal] = name
		} else if rust := unescape(name); rust != name {
			names[name] = rust
		}
	}
	return names
}

// unescape undoes what [LegalName] does to a name that it does not cut.
func unescape(name string) string {
	if len(name) >= maxName {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if i+3 < len(name) && name[i] == '_' && name[i+3] == '_' {
			var c byte
			if n, err := fmt.Sscanf(name[i+1:i+3], "%02X", &c); n == 1 && err == nil && c >= ' ' && c < 0x7f && !isIdentifierByte(c) {
				b.WriteByte(c)
				i += 3
				continue
			}
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// hasLegalName tells whether the kernel wants the name of a type of that kind to
// be an identifier. Variables are left out, as their name is that of a symbol.
func hasLegalName(kind int) bool {
	switch kind {
	case recStruct, recUnion, recEnum, recEnum64, recFwd, recTypedef, recFunc:
		return true
	}
	return false
}

// legalise gives a type, its members and parameters names that the kernel
// accepts, and takes the name of types that must not have one: LLVM before
// version 22 is said to name pointers.
func (t *rustTypes) legalise(r record) {
	switch kind := r.kind(); kind {
	case recPtr, recArray, recFuncProto, recConst, recVolatile, recRestrict:
		r.put(0, 0)
	case recInt, recFloat, recVar, recDatasec, recDeclTag, recTypeTag:
		return // any name will do
	}
	for _, offset := range nameOffsets(r) {
		name := t.string(r.u32(offset))
		if legal := LegalName(name); legal != name {
			r.put(offset, t.nameOffset(legal))
		}
	}
}

// legaliseVariables renames variables in the spec's types, after upstream has
// found them by the names of their symbols.
func (v *view) legaliseVariables() {
	for r := range v.types.records() {
		if r.kind() != recVar || isIdentifier(v.types.name(r)) {
			continue
		}
		v.restores = append(v.restores, func(spec *ebpf.CollectionSpec) error {
			typ, err := typeByID[*btf.Var](spec, r.id)
			if err != nil {
				return err
			}
			typ.Name = LegalName(typ.Name)
			return nil
		})
	}
}
