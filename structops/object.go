package structops

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
)

// Object is the blueprint of a BPF object: the ordinary spec, and the
// struct_ops maps that a spec has no place for. It is independent of the
// running kernel.
type Object struct {
	// Spec holds programs, ordinary maps and variables, and may be edited like
	// any [ebpf.CollectionSpec]. It contains no struct_ops map, and its
	// struct_ops programs have an empty AttachTo.
	Spec *ebpf.CollectionSpec

	// Ops are the struct_ops maps, by the name of their variable.
	Ops map[string]*Ops

	// Static chooses the global functions that are loaded as static ones, see
	// [btfx.MarkStatic]; FromFile is set where it is true. Nil leaves them as
	// they are.
	//
	// [Open] leaves nil, but for an object that was compiled from Rust and has
	// struct_ops maps: there the default is all subprograms and callbacks. Rust
	// makes them global without asking, and the kernel refuses most that way.
	// The target of a freplace program has to be among the exceptions.
	Static *btfx.StaticOptions

	// file is nil if the object was made of a spec alone.
	file *btfx.File

	// callbacks are the programs that members have before any edit.
	callbacks map[string]callbackOf
}

// Open reads a BPF object from an ELF file: all four struct_ops sections, with
// callbacks wired slot by slot as the file's relocations say.
//
// The reader is not used after Open returns. The running kernel is not asked.
//
// Mirrors libbpf bpf_object__open. Differs from libbpf: every variable of a
// section that begins with ? is optional, not only the first, and callbacks may
// be static functions.
func Open(r io.ReaderAt) (*Object, error) {
	file, err := btfx.NewFile(r)
	if err != nil {
		return nil, fmt.Errorf("read object: %w", err)
	}
	spec, err := file.Spec()
	if err != nil {
		return nil, fmt.Errorf("read object: %w", err)
	}
	ops, err := readOps(file, spec)
	if err != nil {
		return nil, err
	}
	return (&Object{Spec: spec, Ops: ops, file: file}).adopt(), nil
}

// callbackOf is the member that the file has a program in.
type callbackOf struct {
	member string
	proto  *btf.FuncProto
}

// adopt makes maps part of the object, and remembers which callbacks the
// file has wired.
//
// A program that is no longer in any member after an edit is not loaded, while
// one that never was is an error. Mirrors libbpf bpf_map__init_kern_struct_ops.
func (o *Object) adopt() *Object {
	o.Static = o.defaultStatic()
	o.callbacks = make(map[string]callbackOf)
	for _, name := range o.opsNames() {
		ops := o.Ops[name]
		ops.object = o
		for i, prog := range ops.Programs {
			proto := prototype(ops.Type.Members[i].Type)
			if _, ok := o.callbacks[prog]; !ok && prog != "" && proto != nil {
				o.callbacks[prog] = callbackOf{ops.Type.Members[i].Name, proto}
			}
		}
	}
	return o
}

// Copy returns an object whose edits do not reach the original. Types are
// shared.
func (o *Object) Copy() *Object {
	if o == nil {
		return nil
	}
	cpy := &Object{Spec: copySpec(o.Spec), Ops: make(map[string]*Ops, len(o.Ops)), Static: copyStatic(o.Static), file: o.file, callbacks: o.callbacks}
	for name, ops := range o.Ops {
		cpy.Ops[name] = ops.Copy()
		cpy.Ops[name].object = cpy
	}
	return cpy
}

// opsNames returns the names of the struct_ops maps in the order in which
// everything is done with them.
func (o *Object) opsNames() []string {
	return slices.Sorted(maps.Keys(o.Ops))
}

// copySpec is [ebpf.CollectionSpec.Copy] with shared types: they are not edited
// here, and copying them is most of the work.
func copySpec(spec *ebpf.CollectionSpec) *ebpf.CollectionSpec {
	cpy := *spec
	cpy.Maps = make(map[string]*ebpf.MapSpec, len(spec.Maps))
	for name, m := range spec.Maps {
		cpy.Maps[name] = copyMap(m)
	}
	cpy.Programs = make(map[string]*ebpf.ProgramSpec, len(spec.Programs))
	for name, p := range spec.Programs {
		cpy.Programs[name] = p.Copy()
	}
	cpy.Variables = make(map[string]*ebpf.VariableSpec, len(spec.Variables))
	for name, v := range spec.Variables {
		vcpy := *v
		vcpy.Value = slices.Clone(v.Value)
		cpy.Variables[name] = &vcpy
	}
	return &cpy
}

// copyMap is [ebpf.MapSpec.Copy] with shared types.
func copyMap(m *ebpf.MapSpec) *ebpf.MapSpec {
	if m == nil {
		return nil
	}
	bare := *m
	bare.Key, bare.Value, bare.InnerMap = nil, nil, nil
	cpy := bare.Copy()
	cpy.Key, cpy.Value, cpy.InnerMap = m.Key, m.Value, copyMap(m.InnerMap)
	return cpy
}

// SetAutoload makes a program mandatory, or optional with false: then it is only
// loaded if something asks for it. For callbacks the maps decide, see
// [Ops.SetAutocreate].
//
// Mirrors libbpf bpf_program__set_autoload.
func (o *Object) SetAutoload(program string, load bool) error {
	prog := o.Spec.Programs[program]
	if prog == nil {
		return fmt.Errorf("no program %q, the object has: %s", program, list(slices.Sorted(maps.Keys(o.Spec.Programs))))
	}
	prog.SectionName = setOptional(prog.SectionName, !load)
	return nil
}

// optional tells whether a section asks not to be loaded unless it is needed.
func optional(section string) bool { return strings.HasPrefix(section, "?") }

// setOptional returns the name of a section with the ? that makes it optional,
// or without.
func setOptional(section string, optional bool) string {
	section = strings.TrimPrefix(section, "?")
	if optional {
		section = "?" + section
	}
	return section
}

// ErrAmbiguous is returned by [FromSpec] if a spec does not say which callback
// belongs to which struct_ops map.
var ErrAmbiguous = errors.New("ambiguous struct_ops maps")
