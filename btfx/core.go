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
	// Set if the value to be written is another than upstream's. The ID of a type
	// in kernel BTF: upstream's number is one of the small BTF that it was
	// computed against. 0 for the ID and the size of a type that the kernel lacks.
	value *btf.TypeID
}

// String returns the fixup as upstream writes it, such as
// "byte_off=8->16", with IDs of kernel BTF.
func (f *Fixup) String() string {
	s := f.fixup.String()
	switch before, _, ok := strings.Cut(s, "->"); {
	case f.value == nil:
		return s
	case ok:
		return fmt.Sprintf("%s->%d", before, *f.value)
	default:
		return fmt.Sprintf("%s->%d", strings.TrimSuffix(s, "=poison"), *f.value)
	}
}

// Apply changes an instruction as the relocation demands. Works on Linux only,
// as [btf.COREFixup.Apply] does.
func (f *Fixup) Apply(ins *asm.Instruction) error {
	if !isPoison(f.fixup) || f.value == nil {
		if err := f.fixup.Apply(ins); err != nil {
			return fmt.Errorf("CO-RE fixup %v: %w", f, err)
		}
	}
	if f.value == nil {
		return nil
	}
	switch ins.OpCode.Class() {
	case asm.LdClass, asm.ALUClass, asm.ALU64Class:
		ins.Constant = int64(*f.value)
		return nil
	default:
		return fmt.Errorf("CO-RE fixup %v: %v has no place for the value of a type", f, ins)
	}
}

// isPoison tells whether upstream makes the instruction an invalid one.
func isPoison(solution btf.COREFixup) bool { return strings.HasSuffix(solution.String(), "=poison") }

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
// Closes the gap that cilium/ebpf v0.22.0 indexes the whole kernel BTF for each
// load. Differs from it, as libbpf does, in that a target_type_id in a module is
// that module's ID, and in that target_type_id and type_size of a type that the
// kernel lacks are 0 and no invalid instruction. Differs from libbpf in that type_matches, as upstream has
// it, compares structs behind pointers by their members, too.
func Relocate(relos []*btf.CORERelocation, types *btf.Spec, k *Kernel, bo binary.ByteOrder, localID func(btf.Type) (btf.TypeID, error)) ([]Fixup, error) {
	r, err := NewRelocations(relos, types)
	if err != nil {
		return nil, err
	}
	return r.Resolve(k, bo, localID)
}

// Relocations are the CO-RE relocations of an object, which are resolved
// together.
type Relocations struct {
	relos []*btf.CORERelocation
	// Indices of relos, one group per local type, groups by their first
	// relocation: upstream looks for one candidate that fits all relocations of a
	// type, and goes through the types in random order.
	groups [][]int
	// Essential names of the candidates, sorted.
	names []string
	// Set if a relocation needs kernel types, and if it can't be told which.
	needed, everything bool
}

// NewRelocations prepares relocations, without a kernel. types is the BTF of the
// object.
func NewRelocations(relos []*btf.CORERelocation, types *btf.Spec) (*Relocations, error) {
	r := &Relocations{relos: relos}
	groups, named := make(map[btf.TypeID]int), make(map[btf.TypeID]bool)
	for i, relo := range relos {
		kind, id, ok := parseRelocation(relo)
		if !ok {
			r.everythingAtOnce()
			return r, nil
		}
		g, ok := groups[id]
		if !ok {
			g = len(r.groups)
			groups[id] = g
			r.groups = append(r.groups, nil)
		}
		r.groups[g] = append(r.groups[g], i)
		if kind == "local_type_id" || named[id] && kind != "type_matches" {
			continue
		}
		named[id] = true
		typ, err := types.TypeByID(id)
		if err != nil {
			return nil, fmt.Errorf("CO-RE: local type of %v: %w", relo, err)
		}
		r.need(kind, typ)
	}
	slices.Sort(r.names)
	r.names = slices.Compact(r.names)
	return r, nil
}

// everythingAtOnce is the way out if upstream's text changes.
func (r *Relocations) everythingAtOnce() {
	all := make([]int, len(r.relos))
	for i := range all {
		all[i] = i
	}
	r.groups, r.needed, r.everything = [][]int{all}, true, true
}

// need records the candidates for the local type of a relocation.
func (r *Relocations) need(kind string, typ btf.Type) {
	r.needed = true
	if kind != "type_matches" {
		r.names = append(r.names, EssentialName(typ.TypeName()))
		return
	}
	names, ok := matchedNames(typ)
	r.names = append(r.names, names...)
	r.everything = r.everything || !ok
}

// Names returns the essential names of the kernel types that are needed, for
// [Kernel.Want].
func (r *Relocations) Names() []string { return r.names }

// Resolve computes the fixups, see [Relocate].
func (r *Relocations) Resolve(k *Kernel, bo binary.ByteOrder, localID func(btf.Type) (btf.TypeID, error)) ([]Fixup, error) {
	targets, err := r.targets(k, bo)
	if err != nil {
		return nil, fmt.Errorf("CO-RE: %w", err)
	}
	fixups := make([]Fixup, len(r.relos))
	var errs []error
	for _, group := range r.groups {
		members := make([]*btf.CORERelocation, len(group))
		for i, index := range group {
			members[i] = r.relos[index]
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

// targets returns the candidates for all local types.
func (r *Relocations) targets(k *Kernel, bo binary.ByteOrder) (*Candidates, error) {
	switch {
	case !r.needed:
		x, err := extract(bo, nil)
		if err != nil {
			return nil, err
		}
		return &Candidates{Spec: x.spec}, nil
	case k == nil:
		return nil, fmt.Errorf("relocations need kernel BTF: %w", ebpf.ErrNotSupported)
	case r.everything:
		return k.everything()
	default:
		return k.Candidates(r.names...)
	}
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
		names = append(names, EssentialName(typ.TypeName()))
		typ = btf.UnderlyingType(typ)
		names = append(names, EssentialName(typ.TypeName()))
		var members []btf.Member
		switch t := typ.(type) {
		case *btf.Struct:
			members = t.Members
			named = named && (!pointee || t.Name != "")
		case *btf.Union:
			members = t.Members
			named = named && (!pointee || t.Name != "")
		}
		if seen[typ] {
			return
		}
		seen[typ] = true
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
	if !strings.HasPrefix(s, "target_type_id=") || isPoison(solution) {
		return newFixup(solution), nil
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

// newFixup is upstream's solution, but for what libbpf answers about a type that
// there isn't.
//
// Mirrors libbpf bpf_core_calc_type_relo.
func newFixup(solution btf.COREFixup) Fixup {
	switch solution.String() {
	case "target_type_id=poison", "type_size=poison":
		return Fixup{solution, new(btf.TypeID)}
	default:
		return Fixup{fixup: solution}
	}
}

// RelocateAgainst computes the fixups for CO-RE relocations with types that the
// caller has, in place of the running kernel's: vmlinux first, then modules.
//
// Differs from [btf.CORERelocate] in what [Relocate] says of absent types.
func RelocateAgainst(relos []*btf.CORERelocation, targets []*btf.Spec, bo binary.ByteOrder, localID func(btf.Type) (btf.TypeID, error)) ([]Fixup, error) {
	solutions, err := btf.CORERelocate(relos, targets, bo, localID)
	if err != nil {
		return nil, fmt.Errorf("CO-RE: %w", err)
	}
	fixups := make([]Fixup, len(solutions))
	for i, solution := range solutions {
		fixups[i] = newFixup(solution)
	}
	return fixups, nil
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
