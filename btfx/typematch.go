package btfx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"

	"github.com/cilium/ebpf/btf"
)

// maxMatchDepth bounds how far types are followed, as in libbpf.
const maxMatchDepth = 32

var errMatchTooDeep = fmt.Errorf("types are nested more than %d deep", maxMatchDepth)

// resolveTypeMatches computes the fixup of a relocation of kind type_matches: 1 if
// the type matches one of its candidates.
//
// Upstream computes 0, against no candidates at all, because it compares structs
// behind pointers by their members, and enough with anything that has no name.
func resolveTypeMatches(relo *btf.CORERelocation, local btf.Type, targets []*btf.Spec, bo binary.ByteOrder) (Fixup, error) {
	none, err := extract(bo, nil)
	if err != nil {
		return Fixup{}, err
	}
	solutions, err := btf.CORERelocate([]*btf.CORERelocation{relo}, []*btf.Spec{none.spec}, bo, nil)
	if err != nil {
		return Fixup{}, err
	}
	for _, target := range targets {
		candidates, err := target.AnyTypesByName(EssentialName(local.TypeName()))
		if err != nil && !errors.Is(err, btf.ErrNotFound) {
			return Fixup{}, err
		}
		for _, candidate := range candidates {
			if reflect.TypeOf(candidate) != reflect.TypeOf(local) {
				continue
			}
			ok, err := typesMatch(local, candidate, false, maxMatchDepth)
			if err != nil {
				return Fixup{}, fmt.Errorf("relocate %v: %w", local, err)
			}
			if ok {
				return Fixup{solutions[0], new(btf.TypeID(1))}, nil
			}
		}
	}
	return Fixup{fixup: solutions[0]}, nil
}

// typesMatch tells whether a type of an object matches one of the kernel.
//
// Mirrors libbpf __bpf_core_types_match.
func typesMatch(local, target btf.Type, behindPointer bool, level int) (bool, error) {
	if level <= 0 {
		return false, errMatchTooDeep
	}
	for range maxMatchDepth {
		local, target = btf.UnderlyingType(local), btf.UnderlyingType(target)
		if !namesMatch(local.TypeName(), target.TypeName()) {
			return false, nil
		}
		if kind := compositeKind(local); behindPointer && kind != 0 {
			return kind == compositeKind(target), nil
		}
		if reflect.TypeOf(local) != reflect.TypeOf(target) {
			return false, nil
		}
		switch l := local.(type) {
		case *btf.Void:
			return true, nil
		case *btf.Fwd:
			return l.Kind == target.(*btf.Fwd).Kind, nil
		case *btf.Enum:
			return enumsMatch(l, target.(*btf.Enum)), nil
		case *btf.Struct:
			return membersMatch(l.Members, target.(*btf.Struct).Members, behindPointer, level)
		case *btf.Union:
			return membersMatch(l.Members, target.(*btf.Union).Members, behindPointer, level)
		case *btf.Int:
			t := target.(*btf.Int)
			return l.Size == t.Size && (l.Encoding == btf.Signed) == (t.Encoding == btf.Signed), nil
		case *btf.Pointer:
			behindPointer = true
			local, target = l.Target, target.(*btf.Pointer).Target
		case *btf.Array:
			t := target.(*btf.Array)
			if l.Nelems != t.Nelems {
				return false, nil
			}
			local, target = l.Type, t.Type
		case *btf.FuncProto:
			t := target.(*btf.FuncProto)
			if ok, err := paramsMatch(l.Params, t.Params, behindPointer, level); !ok || err != nil {
				return false, err
			}
			local, target = l.Return, t.Return
		default:
			return false, nil
		}
	}
	return false, errMatchTooDeep
}

// namesMatch mirrors libbpf bpf_core_names_match.
func namesMatch(local, target string) bool { return EssentialName(local) == EssentialName(target) }

// compositeKind returns what a type is behind a pointer, where a declaration is
// as good as a definition: STRUCT, UNION, or 0 for neither.
func compositeKind(typ btf.Type) Kind {
	switch t := typ.(type) {
	case *btf.Struct:
		return KindStruct
	case *btf.Union:
		return KindUnion
	case *btf.Fwd:
		if t.Kind == btf.FwdUnion {
			return KindUnion
		}
		return KindStruct
	}
	return 0
}

// enumsMatch compares names, not values. Mirrors libbpf bpf_core_enums_match.
func enumsMatch(local, target *btf.Enum) bool {
	if local.Size != target.Size || len(local.Values) > len(target.Values) {
		return false
	}
	names := make(map[string]bool, len(target.Values))
	for _, v := range target.Values {
		names[EssentialName(v.Name)] = true
	}
	for _, v := range local.Values {
		if !names[EssentialName(v.Name)] {
			return false
		}
	}
	return true
}

// membersMatch tells whether each member has a match of its name. Mirrors libbpf
// bpf_core_composites_match.
func membersMatch(local, target []btf.Member, behindPointer bool, level int) (bool, error) {
	if len(local) > len(target) {
		return false, nil
	}
	for _, l := range local {
		found := false
		for _, t := range target {
			if !namesMatch(l.Name, t.Name) {
				continue
			}
			ok, err := typesMatch(l.Type, t.Type, behindPointer, level-1)
			if err != nil {
				return false, err
			}
			if ok {
				found = true
				break
			}
		}
		if !found {
			return false, nil
		}
	}
	return true, nil
}

func paramsMatch(local, target []btf.FuncParam, behindPointer bool, level int) (bool, error) {
	if len(local) != len(target) {
		return false, nil
	}
	for i, l := range local {
		if ok, err := typesMatch(l.Type, target[i].Type, behindPointer, level-1); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}
