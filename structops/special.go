package structops

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// needsObjectBTF tells whether a map has to be created with the BTF that the
// programs have: its value, or that of its inner map, has fields whose types
// the verifier compares by BTF object and ID, or finds by name in it.
func needsObjectBTF(m *ebpf.MapSpec) bool {
	if m.InnerMap != nil && hasSpecialField(m.InnerMap.Value, 0) {
		return true
	}
	return hasSpecialField(m.Value, 0)
}

// specialTypes are the structs to which the kernel gives a meaning in map
// values, see btf_get_field_type in kernel/bpf/btf.c.
var specialTypes = map[string]bool{
	"bpf_spin_lock": true, "bpf_res_spin_lock": true,
	"bpf_timer": true, "bpf_wq": true, "bpf_task_work": true,
	"bpf_list_head": true, "bpf_list_node": true,
	"bpf_rb_root": true, "bpf_rb_node": true,
	"bpf_refcount": true,
}

// hasSpecialField looks for special fields in a type and what it contains.
func hasSpecialField(typ btf.Type, depth int) bool {
	const maxDepth = 32 // as deep as the kernel resolves
	if depth > maxDepth {
		return false
	}
	switch t := typ.(type) {
	case *btf.Struct:
		return specialTypes[t.Name] || anySpecial(t.Members, depth)
	case *btf.Union:
		return anySpecial(t.Members, depth)
	case *btf.Array:
		return hasSpecialField(t.Type, depth+1)
	case *btf.Pointer:
		return isKptr(t)
	case *btf.Datasec:
		for _, v := range t.Vars {
			if hasSpecialField(v.Type, depth+1) {
				return true
			}
		}
	case *btf.Var:
		return hasSpecialField(t.Type, depth+1)
	case *btf.Typedef:
		return hasSpecialField(t.Type, depth+1)
	case *btf.Const:
		return hasSpecialField(t.Type, depth+1)
	case *btf.Volatile:
		return hasSpecialField(t.Type, depth+1)
	case *btf.TypeTag:
		return hasSpecialField(t.Type, depth+1)
	}
	return false
}

func anySpecial(members []btf.Member, depth int) bool {
	for _, m := range members {
		if hasSpecialField(m.Type, depth+1) {
			return true
		}
	}
	return false
}

// isKptr tells whether a pointer carries a type tag that makes it a kptr.
func isKptr(ptr *btf.Pointer) bool {
	for typ := ptr.Target; ; {
		switch t := typ.(type) {
		case *btf.TypeTag:
			switch t.Value {
			case "kptr", "kptr_untrusted", "percpu_kptr", "uptr":
				return true
			}
			typ = t.Type
		case *btf.Const:
			typ = t.Type
		case *btf.Volatile:
			typ = t.Type
		default:
			return false
		}
	}
}
