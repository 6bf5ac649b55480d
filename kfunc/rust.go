package kfunc

import (
	"slices"

	"github.com/cilium/ebpf/btf"
)

// withKernelVoids returns a prototype in which a parameter that points to Rust's
// c_void has the kernel's type. That c_void is an enum, as it is an enum in
// Rust, and means any type. The prototype is copied if there is one.
//
// Closes the gap that cilium/ebpf v0.22.0 and libbpf call the enum incompatible
// with a struct.
func withKernelVoids(local, kern btf.Type) btf.Type {
	l, lok := local.(*btf.FuncProto)
	k, kok := kern.(*btf.FuncProto)
	if !lok || !kok || len(l.Params) != len(k.Params) {
		return local
	}
	cpy := *l
	cpy.Params = slices.Clone(l.Params)
	changed := false
	for i, p := range l.Params {
		if leadsToVoid(p.Type, k.Params[i].Type) {
			cpy.Params[i].Type, changed = k.Params[i].Type, true
		}
	}
	if leadsToVoid(l.Return, k.Return) {
		cpy.Return, changed = k.Return, true
	}
	if !changed {
		return local
	}
	return &cpy
}

// leadsToVoid tells whether as many pointers as the kernel's type begins with
// lead to a c_void, or fewer.
func leadsToVoid(local, kern btf.Type) bool {
	for range maxDeclareDepth {
		l, lok := btf.As[*btf.Pointer](local)
		k, kok := btf.As[*btf.Pointer](kern)
		if !lok || !kok {
			return false
		}
		if enum, ok := btf.As[*btf.Enum](l.Target); ok && enum.Name == "c_void" {
			return true
		}
		local, kern = l.Target, k.Target
	}
	return false
}
