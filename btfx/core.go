package btfx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
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
	// Set if the value is not upstream's, or is not checked against what the
	// instruction holds: an ID in the BTF that the program is loaded with or in
	// kernel BTF, where upstream's number is one of the small BTF that it was
	// computed against; 0 for the ID and the size of a type that the kernel
	// lacks; 1 for types that match.
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
//
// Differs from [btf.COREFixup.Apply], as libbpf does, in that an instruction may
// hold another type ID than the relocation has: linkers renumber the types of an
// object in .BTF.ext, but not in instructions.
func (f *Fixup) Apply(ins *asm.Instruction) error {
	if f.value == nil {
		if err := f.fixup.Apply(ins); err != nil {
			return fmt.Errorf("CO-RE fixup %v: %w", f, err)
		}
		return nil
	}
	switch class := ins.OpCode.Class(); {
	case class == asm.LdClass, class.IsALU() && ins.OpCode.Source() == asm.ImmSource:
		ins.Constant = int64(*f.value)
		return nil
	default:
		return fmt.Errorf("CO-RE fixup %v: %v has no place for the value of a type", f, ins)
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
// Closes the gap that cilium/ebpf v0.22.0 indexes the whole kernel BTF for each
// load. Differs from it, as libbpf does, in that a target_type_id in a module is
// that module's ID; in that target_type_id and type_size of a type that the
// kernel lacks are 0 and no invalid instruction; and in that type_matches
// compares only kind and name of structs and unions behind pointers.
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
	// Those of kind type_matches are in no group: indices of relos, and the local types.
	matches map[int]btf.Type
	// Set if a relocation needs kernel types.
	needed bool
}

// NewRelocations prepares relocations, without a kernel. types is the BTF of the
// object.
func NewRelocations(relos []*btf.CORERelocation, types *btf.Spec) (*Relocations, error) {
	r := &Relocations{relos: relos, matches: make(map[int]btf.Type)}
	groups := make(map[btf.TypeID]int)
	for i, relo := range relos {
		kind, id, err := parseRelocation(relo)
		if err != nil {
			return nil, err
		}
		if kind != "local_type_id" {
			typ, err := types.TypeByID(id)
			if err != nil {
				return nil, fmt.Errorf("CO-RE: local type of %v: %w", relo, err)
			}
			r.needed = true
			r.names = append(r.names, EssentialName(typ.TypeName()))
			if kind == "type_matches" {
				r.matches[i] = typ
				continue
			}
		}
		g, ok := groups[id]
		if !ok {
			g = len(r.groups)
			groups[id] = g
			r.groups = append(r.groups, nil)
		}
		r.groups[g] = append(r.groups[g], i)
	}
	slices.Sort(r.names)
	r.names = slices.Compact(r.names)
	return r, nil
}

// Names returns the essential names of the kernel types that are needed, for
// [Kernel.Want].
func (r *Relocations) Names() []string { return r.names }

// Resolve computes the fixups, see [Relocate].
func (r *Relocations) Resolve(k *Kernel, bo binary.ByteOrder, localID func(btf.Type) (btf.TypeID, error)) ([]Fixup, error) {
	candidates, err := r.candidates(k, bo)
	if err != nil {
		return nil, fmt.Errorf("CO-RE: %w", err)
	}
	return r.resolve([]*btf.Spec{candidates.Spec}, bo, localID, candidates.fixup)
}

// ResolveAgainst computes the fixups with types that the caller has, in place of
// the running kernel's: vmlinux first, then modules, see [btf.CORERelocate].
func (r *Relocations) ResolveAgainst(targets []*btf.Spec, bo binary.ByteOrder, localID func(btf.Type) (btf.TypeID, error)) ([]Fixup, error) {
	return r.resolve(targets, bo, localID, newFixup)
}

// resolve computes the fixups. target makes them of upstream's solutions.
func (r *Relocations) resolve(
	targets []*btf.Spec, bo binary.ByteOrder, localID func(btf.Type) (btf.TypeID, error), target func(btf.COREFixup) (Fixup, error),
) ([]Fixup, error) {
	fixups := make([]Fixup, len(r.relos))
	var errs []error
	for _, group := range r.groups {
		members := make([]*btf.CORERelocation, len(group))
		for i, index := range group {
			members[i] = r.relos[index]
		}
		solutions, err := btf.CORERelocate(members, targets, bo, localID)
		if err != nil {
			errs = append(errs, fmt.Errorf("CO-RE: %w", err))
			continue
		}
		for i, index := range group {
			if fixups[index], err = target(solutions[i]); err != nil {
				return nil, fmt.Errorf("CO-RE: %w", err)
			}
		}
	}
	for _, index := range slices.Sorted(maps.Keys(r.matches)) {
		var err error
		if fixups[index], err = resolveTypeMatches(r.relos[index], r.matches[index], targets, bo); err != nil {
			errs = append(errs, fmt.Errorf("CO-RE: %w", err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return fixups, nil
}

// candidates returns the kernel's candidates for all local types.
func (r *Relocations) candidates(k *Kernel, bo binary.ByteOrder) (*Candidates, error) {
	switch {
	case !r.needed:
		x, err := extract(bo, nil)
		if err != nil {
			return nil, err
		}
		return &Candidates{Spec: x.spec}, nil
	case k == nil:
		return nil, fmt.Errorf("relocations need kernel BTF: %w", ebpf.ErrNotSupported)
	default:
		return k.Candidates(r.names...)
	}
}

// parseRelocation returns the kind of a relocation and the ID of its local type
// in the object's BTF. Upstream has no accessors for them, only
//
//	CORERelocation(byte_off, Struct:"task_struct"[0:1], local_id=7)
func parseRelocation(relo *btf.CORERelocation) (kind string, local btf.TypeID, err error) {
	s, _ := strings.CutPrefix(relo.String(), "CORERelocation(")
	kind, rest, _ := strings.Cut(s, ", ")
	const before = ", local_id="
	at := max(strings.LastIndex(rest, before), 0)
	number := strings.TrimSuffix(strings.TrimPrefix(rest[at:], before), ")")
	id, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return "", 0, fmt.Errorf("CO-RE relocation %q: unknown format", relo)
	}
	return kind, btf.TypeID(id), nil
}

// fixup makes a fixup of upstream's solution, and maps the target of a
// target_type_id from Spec to kernel BTF.
func (c *Candidates) fixup(solution btf.COREFixup) (Fixup, error) {
	f, err := newFixup(solution)
	if err != nil || !strings.HasPrefix(solution.String(), "target_type_id=") || *f.value == 0 {
		return f, err
	}
	ref, ok := c.Ref(*f.value)
	if !ok {
		return Fixup{}, fmt.Errorf("fixup %q: target %w among the candidates", solution.String(), btf.ErrNotFound)
	}
	return Fixup{solution, &ref.ID}, nil
}

// newFixup is upstream's solution, but for what libbpf answers about type IDs and
// about a type that there isn't.
//
// Mirrors libbpf bpf_core_calc_type_relo.
func newFixup(solution btf.COREFixup) (Fixup, error) {
	s := solution.String()
	switch kind, _, _ := strings.Cut(s, "="); {
	case s == "target_type_id=poison", s == "type_size=poison":
		return Fixup{solution, new(btf.TypeID)}, nil
	case kind == "local_type_id", kind == "target_type_id":
		_, number, _ := strings.Cut(s, "->")
		id, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return Fixup{}, fmt.Errorf("fixup %q: unknown format", s)
		}
		value := btf.TypeID(id)
		return Fixup{solution, &value}, nil
	default:
		return Fixup{fixup: solution}, nil
	}
}
