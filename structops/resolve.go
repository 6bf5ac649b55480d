package structops

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
)

// valueTypePrefix makes the name of a value type from that of an ops type.
const valueTypePrefix = "bpf_struct_ops_"

// Resolve looks up the ops types of all maps in a kernel's BTF and lays out
// their values. Nothing is created. Optional maps are left out.
//
// All mismatches are reported in one joined error. An ops type that the kernel
// lacks wraps [btf.ErrNotFound] and [ebpf.ErrNotSupported].
//
// Mirrors libbpf bpf_map__init_kern_struct_ops and
// bpf_object_adjust_struct_ops_autoload.
func (o *Object) Resolve(k *btfx.Kernel) (*Plan, error) {
	return o.ResolveWith(k, nil)
}

// ResolveWith is [Object.Resolve] as a load with options does it: Missing and
// MayDrop count.
func (o *Object) ResolveWith(k *btfx.Kernel, opts *Options) (*Plan, error) {
	return o.resolve(k, func(string) bool { return false }, opts)
}

// resolve is [Object.ResolveWith], with a say in which optional maps and
// programs are wanted.
func (o *Object) resolve(k *btfx.Kernel, wanted func(name string) bool, opts *Options) (*Plan, error) {
	for _, ops := range o.Ops {
		name := btfx.EssentialName(ops.Type.Name)
		k.Want(name, valueTypePrefix+name)
	}
	plan := new(Plan)
	var errs []error
	for _, name := range o.opsNames() {
		ops := o.Ops[name]
		if ops.Optional() && !wanted(name) {
			plan.Skipped = append(plan.Skipped, name)
			continue
		}
		r := resolver{ops: ops, progs: o.Spec.Programs, plan: plan, mayDrop: opts.mayDrop}
		m, err := r.resolve(k)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		plan.Maps = append(plan.Maps, *m)
	}
	progs, err := planPrograms(plan.Maps)
	errs = append(errs, err)
	plan.Programs = progs
	errs = append(errs, o.checkReferences(plan, len(errs) > 1, wanted))
	slices.Sort(plan.Skipped)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return plan, nil
}

// resolver resolves one map.
type resolver struct {
	ops     *Ops
	progs   map[string]*ebpf.ProgramSpec
	mayDrop func(member string) bool
	plan    *Plan // receives what is dropped and what does not match

	kern *opsType
	m    *MapPlan
}

// resolve finds the kernel's types for a map and lays out its value.
func (r *resolver) resolve(k *btfx.Kernel) (*MapPlan, error) {
	ops := r.ops
	kern, err := findOpsType(btfx.EssentialName(ops.Type.Name), k)
	if err != nil {
		return nil, fmt.Errorf("map %q: %w", ops.Name, err)
	}
	r.kern = kern
	r.m = &MapPlan{
		Name:        ops.Name,
		OpsType:     kern.ops.Name,
		OpsRef:      kern.opsRef,
		ValueRef:    kern.valueRef,
		ValueSize:   kern.value.Size,
		DataOffset:  kern.dataOffset,
		StateOffset: kern.stateOffset,
		Link:        ops.Link(),
		Value:       make([]byte, kern.value.Size),
	}
	var errs []error
	for i, local := range ops.Type.Members {
		if err := r.copyMember(i); err != nil {
			errs = append(errs, fmt.Errorf("map %q: member %q: %w", ops.Name, local.Name, err))
		}
	}
	slices.SortFunc(r.m.Slots, func(a, b Slot) int { return cmp.Compare(a.Index, b.Index) })
	return r.m, errors.Join(errs...)
}

// opsType is a kernel's ops type and the value type around it.
type opsType struct {
	ops, value       *btf.Struct
	opsRef, valueRef btfx.Ref
	// Offsets in the value type, in bytes.
	dataOffset, stateOffset uint32
}

// findOpsType looks up the value type, then the ops type in the same BTF object.
func findOpsType(name string, k *btfx.Kernel) (*opsType, error) {
	valueRef, err := k.Find(btfx.KindStruct, valueTypePrefix+name)
	if errors.Is(err, btf.ErrNotFound) {
		return nil, fmt.Errorf("kernel has no struct_ops %q (struct %s is neither in vmlinux nor in a loaded module): "+
			"enable the subsystem or load its module: %w: %w", name, valueTypePrefix+name, err, ebpf.ErrNotSupported)
	}
	if err != nil {
		return nil, err
	}
	opsRef, err := k.FindIn(valueRef.Module, btfx.KindStruct, name)
	if err != nil {
		return nil, fmt.Errorf("value type %s is in %s, but the ops type is not: %w", valueTypePrefix+name, where(valueRef), err)
	}
	typ, err := k.Type(valueRef)
	if err != nil {
		return nil, err
	}
	value, ok := typ.(*btf.Struct)
	if !ok {
		return nil, fmt.Errorf("value type %s is %v, not a struct", valueTypePrefix+name, typ)
	}
	t := &opsType{value: value, opsRef: opsRef, valueRef: valueRef}
	return t, t.locate(name)
}

// locate finds the data member and the state in the value type.
func (t *opsType) locate(name string) error {
	for _, m := range t.value.Members {
		if s, ok := m.Type.(*btf.Struct); ok && s.Name == name {
			t.ops, t.dataOffset = s, m.Offset.Bytes()
			break
		}
	}
	if t.ops == nil {
		return fmt.Errorf("value type %s has no data member of type struct %s", t.value.Name, name)
	}
	if uint64(t.dataOffset)+uint64(t.ops.Size) > uint64(t.value.Size) {
		return fmt.Errorf("value type %s: data member at offset %d with %d bytes, the value type has %d",
			t.value.Name, t.dataOffset, t.ops.Size, t.value.Size)
	}
	state, ok := stateOffset(t.value)
	if !ok || uint64(state)+4 > uint64(t.value.Size) {
		return fmt.Errorf("value type %s has no member \"state\"", t.value.Name)
	}
	t.stateOffset = state
	return nil
}

// stateOffset finds the member "state": in struct bpf_struct_ops_common since
// Linux 6.9 (612d087d4ba5), directly in the value type before.
func stateOffset(value *btf.Struct) (uint32, bool) {
	for _, m := range value.Members {
		if m.Name == "state" {
			return m.Offset.Bytes(), true
		}
		common, ok := m.Type.(*btf.Struct)
		if !ok || m.Name != "common" {
			continue
		}
		for _, c := range common.Members {
			if c.Name == "state" {
				return m.Offset.Bytes() + c.Offset.Bytes(), true
			}
		}
	}
	return 0, false
}

// planPrograms collects the programs that fill slots. A program belongs to one
// member of one ops type, in however many maps.
func planPrograms(plans []MapPlan) ([]ProgramPlan, error) {
	type use struct {
		ProgramPlan
		where string
	}
	uses := make(map[string]use)
	var errs []error
	for _, m := range plans {
		for _, s := range m.Slots {
			u := use{ProgramPlan{s.Program, m.OpsRef, s.Index}, fmt.Sprintf("member %q of map %q", s.Member, m.Name)}
			first, ok := uses[s.Program]
			if !ok {
				uses[s.Program] = u
			} else if first.ProgramPlan != u.ProgramPlan {
				errs = append(errs, fmt.Errorf("program %q fills %s and %s: a program can serve one member of one ops type only, write one for each",
					s.Program, first.where, u.where))
			}
		}
	}
	var progs []ProgramPlan
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		progs = append(progs, uses[name].ProgramPlan)
	}
	return progs, errors.Join(errs...)
}

// checkReferences records the struct_ops programs that are left out, also
// because an edit has taken them out of their members, and
// refuses those that are to be loaded although no map names them. A program in
// a map that does not resolve has an error already.
func (o *Object) checkReferences(plan *Plan, incomplete bool, wanted func(string) bool) error {
	named := make(map[string]bool)
	for _, ops := range o.Ops {
		for _, prog := range ops.Programs {
			named[prog] = true
		}
	}
	loaded := make(map[string]bool)
	for _, p := range plan.Programs {
		loaded[p.Name] = true
	}
	dropped := make(map[string]bool)
	for _, d := range plan.Dropped {
		dropped[d.Program] = true
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(o.Spec.Programs)) {
		prog := o.Spec.Programs[name]
		_, callback := o.callbacks[name]
		switch {
		case prog.Type != ebpf.StructOps || loaded[name] || dropped[name] || incomplete && named[name]:
		case !wanted(name) && (callback || named[name] || optional(prog.SectionName)):
			plan.Skipped = append(plan.Skipped, name)
		default:
			errs = append(errs, fmt.Errorf("program %q: no struct_ops map to be created has it in a member: "+
				"wire it, or name its section \"?%s\"", name, prog.SectionName))
		}
	}
	return errors.Join(errs...)
}
