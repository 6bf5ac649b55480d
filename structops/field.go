package structops

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/kfunc"
)

// field is a typed place in a value: a struct, a member, an element.
type field struct {
	typ btf.Type
	// offset in the value, in bits. Counted as BTF does it: in a bitfield of a
	// big endian object from the most significant bit on.
	offset uint64
	// bits is the size of a bitfield, 0 for anything else.
	bits uint32
	// end of the surrounding field, in bits: nothing inside reaches beyond.
	end uint64
	// depth of nesting. BTF may claim that a struct contains itself.
	depth int
}

// maxFieldDepth bounds the nesting of values. No struct of C is that deep.
const maxFieldDepth = 32

// members returns the members of a struct or union, nil for other types.
func (f field) members() []btf.Member {
	switch t := btf.UnderlyingType(f.typ).(type) {
	case *btf.Struct:
		return t.Members
	case *btf.Union:
		return t.Members
	}
	return nil
}

// member returns the field of a member of f.
func (f field) member(m btf.Member) (field, error) {
	return f.inside(m.Type, f.offset+uint64(m.Offset), uint32(m.BitfieldSize))
}

// element returns the field of an element of an array.
func (f field) element(arr *btf.Array, i uint32) (field, error) {
	size, err := btf.Sizeof(arr.Type)
	if err != nil {
		return field{}, err
	}
	if size == 0 {
		return field{}, fmt.Errorf("an array of elements without size")
	}
	return f.inside(arr.Type, f.offset+uint64(i)*uint64(size)*8, 0)
}

// inside checks that a part of f is where it claims to be.
func (f field) inside(typ btf.Type, offset uint64, bits uint32) (field, error) {
	if f.depth == maxFieldDepth {
		return field{}, fmt.Errorf("nested deeper than %d", maxFieldDepth)
	}
	size := uint64(bits)
	if bits == 0 {
		bytes, err := btf.Sizeof(typ)
		if err != nil {
			return field{}, err
		}
		if offset%8 != 0 {
			return field{}, fmt.Errorf("begins at bit %d, not at a byte", offset)
		}
		size = uint64(bytes) * 8
	}
	if bits > 64 || offset > f.end || size > f.end-offset {
		return field{}, fmt.Errorf("at bit %d with %d bits, what surrounds it ends at %d", offset, size, f.end)
	}
	return field{typ: typ, offset: offset, bits: bits, end: offset + size, depth: f.depth + 1}, nil
}

// find follows a path such as "a.b[2]".
func (f field) find(path string) (field, error) {
	rest, at := path, ""
	for rest != "" {
		var err error
		var step string
		if strings.HasPrefix(rest, "[") {
			step, rest, err = cutIndex(rest)
			if err == nil {
				f, err = f.index(step)
			}
			step = "[" + step + "]"
		} else {
			if at != "" && !strings.HasPrefix(rest, ".") {
				return field{}, fmt.Errorf("path %q: want . or [ after %q", path, at)
			}
			step, rest = cutName(strings.TrimPrefix(rest, "."))
			f, err = f.named(step)
			if at != "" {
				step = "." + step
			}
		}
		if err != nil {
			return field{}, fmt.Errorf("path %q: at %q: %w", path, at+step, err)
		}
		at += step
	}
	return f, nil
}

// cutName splits a path after its first name.
func cutName(path string) (name, rest string) {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// cutIndex splits a path after its first index.
func cutIndex(path string) (index, rest string, err error) {
	index, rest, ok := strings.Cut(path[1:], "]")
	if !ok {
		return index, rest, fmt.Errorf("no closing ]")
	}
	return index, rest, nil
}

// index returns an element of an array.
func (f field) index(text string) (field, error) {
	arr, ok := btf.As[*btf.Array](f.typ)
	if !ok || f.bits != 0 {
		return field{}, fmt.Errorf("%s is not an array", typeName(f.typ))
	}
	i, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return field{}, fmt.Errorf("index %q: not a number", text)
	}
	if i >= uint64(arr.Nelems) {
		return field{}, fmt.Errorf("index %d, the array has %d elements", i, arr.Nelems)
	}
	return f.element(arr, uint32(i))
}

// named returns a member of a struct or union, also one of the anonymous
// structs and unions in it.
func (f field) named(name string) (field, error) {
	if f.members() == nil {
		return field{}, fmt.Errorf("%s has no members", typeName(f.typ))
	}
	found, ok, err := f.lookup(name)
	if err == nil && !ok {
		err = fmt.Errorf("%s has no member %q, it has: %s", typeName(f.typ), name, list(memberNames(f.members())))
	}
	return found, err
}

func (f field) lookup(name string) (field, bool, error) {
	for _, m := range f.members() {
		if m.Name != "" && m.Name != name {
			continue
		}
		inner, err := f.member(m)
		if err != nil {
			return field{}, false, err
		}
		if m.Name == name && name != "" {
			return inner, true, nil
		}
		if found, ok, err := inner.lookup(name); ok || err != nil {
			return found, ok, err
		}
	}
	return field{}, false, nil
}

// memberNames lists the names that a path can go on with. Each struct of the
// file is bounded, but not how they nest: anonymous ones are followed to a depth.
func memberNames(members []btf.Member) []string { return appendNames(nil, members, 0) }

func appendNames(names []string, members []btf.Member, depth int) []string {
	for _, m := range members {
		if m.Name != "" {
			names = append(names, m.Name)
		} else if depth < maxFieldDepth {
			names = appendNames(names, field{typ: m.Type}.members(), depth+1)
		}
	}
	return names
}

// typeName is a type as C writes it.
func typeName(typ btf.Type) string { return kfunc.Declaration(typ, "") }
