package btfx

import (
	"fmt"

	"github.com/cilium/ebpf/btf"
)

// NewBuilder returns a builder that holds all types of an object which the
// kernel accepts, in the order of their IDs, so that one BTF can serve every
// map and program.
//
// Left out are extern functions and variables, the DATASECs .ksyms and .kconfig
// and those of struct_ops sections: the kernel refuses the former
// ("Invalid func linkage") and has no use for the latter, and nothing refers to
// them. types may be nil.
//
// Mirrors the result of libbpf bpf_object__sanitize_btf and
// bpf_object__sanitize_and_load_btf; libbpf rewrites externs instead of leaving
// them out. Upstream makes one BTF for each map and program, so that a type
// which two of them share is not the same type to the kernel.
//
// Types that are added later and are not of the same spec, but look the same,
// merge with those that are there if dedup is set. Functions are left out then
// and come with func info: upstream's deduplication takes functions of
// different linkage for the same.
func NewBuilder(types *btf.Spec, dedup bool) (*btf.Builder, error) {
	var keep []btf.Type
	if types != nil {
		for typ, err := range types.All() {
			if err != nil {
				return nil, fmt.Errorf("object BTF: %w", err)
			}
			if _, isFunc := typ.(*btf.Func); !isVirtual(typ) && !(isFunc && dedup) {
				keep = append(keep, typ)
			}
		}
	}
	if !dedup {
		return btf.NewBuilder(keep, nil)
	}
	if err := checkLoops(keep); err != nil {
		return nil, fmt.Errorf("object BTF: %w", err)
	}
	return btf.NewBuilder(keep, &btf.BuilderOptions{Deduplicate: true})
}

// isVirtual tells whether a type exists for the loader only.
func isVirtual(typ btf.Type) bool {
	switch t := typ.(type) {
	case *btf.Void:
		return true
	case *btf.Func:
		return t.Linkage == btf.ExternFunc
	case *btf.Var:
		return t.Linkage == btf.ExternVar
	case *btf.Datasec:
		return isVirtualDatasec(t.Name) || isStructOps(t.Name)
	case *btf.Struct:
		// What the view makes of a virtual DATASEC.
		return t.Name == "" && t.Size == 0 && len(t.Members) > 0 && isVoid(t.Members[0].Type)
	}
	return false
}

func isVoid(typ btf.Type) bool {
	_, ok := typ.(*btf.Void)
	return ok
}
