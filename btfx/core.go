package btfx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// Fixup is the solution of a CO-RE relocation.
type Fixup struct {
	fixup btf.COREFixup
	// Set if the fixup writes the ID of a type in kernel BTF: upstream's number
	// is one of the small BTF that it was computed against.
	kernelID *btf.TypeID
}

// String returns the fixup as upstream writes it, such as
// "byte_off=8->16", with IDs of kernel BTF.
func (f *Fixup) String() string {
	s := f.fixup.String()
	if f.kernelID == nil {
		return s
	}
	before, _, _ := strings.Cut(s, "->")
	return fmt.Sprintf("%s->%d", before, *f.kernelID)
}

// Apply changes an instruction as the relocation demands. Works on Linux only,
// as [btf.COREFixup.Apply] does.
func (f *Fixup) Apply(ins *asm.Instruction) error {
	if err := f.fixup.Apply(ins); err != nil {
		return fmt.Errorf("CO-RE fixup %v: %w", f, err)
	}
	if f.kernelID == nil {
		return nil
	}
	switch ins.OpCode.Class() {
	case asm.LdClass, asm.ALUClass, asm.ALU64Class:
		ins.Constant = int64(*f.kernelID)
		return nil
	default:
		return fmt.Errorf("CO-RE fixup %v: %v has no place for a type ID", f, ins)
	}
}

// Relocate computes the fixups for CO-RE relocations of an object, in their
// order, with [btf.CORERelocate] and the kernel's candidates for their types.
//
// types is the BTF of the object. k may be nil, and reads nothing, if all
// relocations are of kind local_type_id. bo is the byte order of the object and
// localID returns the ID of a local type in the BTF that the programs are
// loaded with.
//
// Returns an error wrapping [ebpf.ErrNotSupported] if the kernel has no BTF.
//
// Closes the gap that cilium/ebpf v0.22.0 indexes the whole kernel BTF. Differs
// from it in that a target_type_id in a module is that module's ID, as in
// libbpf.
func Relocate(relos []*btf.CORERelocation, types *btf.Spec, k *Kernel, bo binary.ByteOrder, localID func(btf.Type) (btf.TypeID, error)) ([]Fixup, error) {
	targets, err := targetsFor(relos, types, k, bo)
	if err != nil {
		return nil, fmt.Errorf("CO-RE: %w", err)
	}
	fixups := make([]Fixup, len(relos))
	var errs []error
	for _, group := range groupByType(relos) {
		members := make([]*btf.CORERelocation, len(group))
		for i, index := range group {
			members[i] = relos[index]
		}
		solutions, err := btf.CORERelocate(members, []*btf.Spec{targets.Spec}, bo, localID)
		if err != nil {
			errs = append(errs, fmt.Errorf("CO-RE: %w", err))
			continue
		}
		for i, index := range group {
			if fixups[index], err = targets.fixup(solutions[i]); err != nil {
				return nil, fmt.Errorf("CO-RE: %w", err)
			}
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return fixups, nil
}

// groupByType returns the indices of relos, one group per local type, groups by
// their first relocation. Upstream looks for one candidate that fits all
// relocations of a type, and goes through the types in random order.
func groupByType(relos []*btf.CORERelocation) [][]int {
	var groups [][]int
	byID := make(map[btf.TypeID]int)
	for i, relo := range relos {
		_, id, ok := parseRelocation(relo)
		if !ok {
			all := make([]int, len(relos))
			for i := range all {
				all[i] = i
			}
			return [][]int{all}
		}
		g, ok := byID[id]
		if !ok {
			g = len(groups)
			byID[id] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}

// targetsFor returns the candidates for the local types of relos.
func targetsFor(relos []*btf.CORERelocation, types *btf.Spec, k *Kernel, bo binary.ByteOrder) (*Candidates, error) {
	var names []string
	needed := false
	for _, relo := range relos {
		kind, id, ok := parseRelocation(relo)
		if !ok && k != nil {
			return k.everything()
		}
		if kind == "local_type_id" {
			continue
		}
		needed = true
		typ, err := types.TypeByID(id)
		if err != nil {
			return nil, fmt.Errorf("local type of %v: %w", relo, err)
		}
		if kind != "type_matches" {
			names = append(names, EssentialName(typ.TypeName()))
			continue
		}
		matched, ok := matchedNames(typ)
		if !ok && k != nil {
			return k.everything()
		}
		names = append(names, matched...)
	}
	if needed && k == nil {
		return nil, fmt.Errorf("relocations need kernel BTF: %w", ebpf.ErrNotSupported)
	}
	if !needed {
		x, err := extract(bo, nil)
		if err != nil {
			return nil, err
		}
		return &Candidates{Spec: x.spec}, nil
	}
	slices.Sort(names)
	return k.Candidates(slices.Compact(names)...)
}

// parseRelocation returns the kind of a relocation and the ID of its local type
// in the object's BTF. Upstream has no accessors for them, only
//
//	CORERelocation(byte_off, Struct:"task_struct"[0:1], local_id=7)
func parseRelocation(relo *btf.CORERelocation) (kind string, local btf.TypeID, ok bool) {
	s, ok := strings.CutPrefix(relo.String(), "CORERelocation(")
	if !ok {
		return "", 0, false
	}
	kind, rest, ok := strings.Cut(s, ", ")
	if !ok {
		return "", 0, false
	}
	i := strings.LastIndex(rest, ", local_id=")
	if i < 0 {
		return "", 0, false
	}
	number, ok := strings.CutSuffix(rest[i+len(", local_id="):], ")")
	if !ok {
		return "", 0, false
	}
	id, err := strconv.ParseUint(number, 10, 32)
	return kind, btf.TypeID(id), err == nil
}

// matchedNames returns the essential names of the types that type_matches
// compares member by member: upstream follows pointers, so the candidates of
// all structs and unions in reach must be whole. It reports false if the local
// type has an anonymous struct or union behind a pointer, which is compared
// with any.
func matchedNames(root btf.Type) ([]string, bool) {
	var names []string
	seen := make(map[btf.Type]bool)
	named := true
	var visit func(typ btf.Type, pointee bool)
	visit = func(typ btf.Type, pointee bool) {
		if name := EssentialName(typ.TypeName()); name != "" {
			names = append(names, name)
		}
		typ = btf.UnderlyingType(typ)
		if seen[typ] {
			return
		}
		seen[typ] = true
		var members []btf.Member
		switch t := typ.(type) {
		case *btf.Pointer:
			visit(t.Target, true)
		case *btf.Array:
			visit(t.Type, pointee)
		case *btf.FuncProto:
			visit(t.Return, false)
			for _, p := range t.Params {
				visit(p.Type, false)
			}
		case *btf.Struct:
			members = t.Members
		case *btf.Union:
			members = t.Members
		}
		if name := EssentialName(typ.TypeName()); name != "" {
			names = append(names, name)
		} else if pointee && members != nil {
			named = false
		}
		for _, m := range members {
			visit(m.Type, false)
		}
	}
	visit(root, false)
	return names, named
}

// fixup maps the target of a target_type_id from Spec to kernel BTF.
func (c *Candidates) fixup(solution btf.COREFixup) (Fixup, error) {
	s := solution.String()
	if !strings.HasPrefix(s, "target_type_id=") || strings.HasSuffix(s, "=poison") {
		return Fixup{fixup: solution}, nil
	}
	_, number, _ := strings.Cut(s, "->")
	small, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return Fixup{}, fmt.Errorf("fixup %q: unknown format", s)
	}
	ref, ok := c.Ref(btf.TypeID(small))
	if !ok {
		return Fixup{}, fmt.Errorf("fixup %q: target %w among the candidates", s, btf.ErrNotFound)
	}
	return Fixup{solution, &ref.ID}, nil
}

// everything returns all of vmlinux as candidates, for relocations whose
// candidates can't be told. Its IDs are those of vmlinux.
func (k *Kernel) everything() (*Candidates, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	vmlinux, err := k.base()
	if err != nil {
		return nil, err
	}
	spec, err := btf.LoadSplitSpecFromReader(bytes.NewReader(vmlinux.raw), nil)
	if err != nil {
		return nil, vmlinux.errorf(err)
	}
	return &Candidates{Spec: spec, everything: true}, nil
}
