package btfx

import (
	"fmt"

	"github.com/cilium/ebpf/btf"
)

// Candidates is a small BTF that holds the kernel's candidates for CO-RE.
type Candidates struct {
	// Spec is the only target that [btf.CORERelocate] needs.
	Spec *btf.Spec

	nodes []node
}

// Ref returns where a type of Spec comes from.
func (c *Candidates) Ref(id btf.TypeID) (Ref, bool) {
	if id == 0 || uint64(id) > uint64(len(c.nodes)) {
		return Ref{}, false
	}
	n := c.nodes[id-1]
	return Ref{n.module, btf.TypeID(n.id)}, true
}

// Candidates returns all types whose essential name is one of names, which are
// the essential names of the local types of CO-RE relocations. Modules are
// searched for names that vmlinux has no type of.
//
// The candidates are whole; of what they refer to, named structs and unions
// behind pointers have no members: no relocation goes through a pointer.
//
// Mirrors libbpf bpf_core_find_cands.
func (k *Kernel) Candidates(names ...string) (*Candidates, error) {
	k.mu.Lock()
	defer k.mu.Unlock()

	indices := make([]int, len(names))
	for i, name := range names {
		indices[i] = k.want(name)
	}
	vmlinux, err := k.base()
	if err != nil {
		return nil, err
	}
	var roots []source
	for _, index := range indices {
		found := vmlinux.candidates(index)
		if len(found) == 0 {
			if err := k.readModules(); err != nil {
				return nil, err
			}
			for _, m := range k.modules {
				found = append(found, m.candidates(index)...)
			}
		}
		roots = append(roots, found...)
	}
	x, err := extract(vmlinux.order, roots)
	if err != nil {
		return nil, fmt.Errorf("CO-RE candidates: %w", err)
	}
	return &Candidates{Spec: x.spec, nodes: x.nodes}, nil
}

// candidates returns the types of wanted[index] that a CO-RE relocation can
// refer to.
func (b *kernelBTF) candidates(index int) []source {
	var sources []source
	for _, m := range b.matches[index] {
		switch m.kind {
		case recInt, recFloat, recStruct, recUnion, recEnum, recEnum64, recFwd, recTypedef:
			sources = append(sources, source{b, m.id})
		}
	}
	return sources
}
