package structops

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"

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

	// file is nil if the object was made of a spec alone.
	file *btfx.File
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
	return &Object{Spec: spec, Ops: ops, file: file}, nil
}

// Copy returns an object whose edits do not reach the original. Types are
// shared.
func (o *Object) Copy() *Object {
	if o == nil {
		return nil
	}
	cpy := &Object{Spec: copySpec(o.Spec), Ops: make(map[string]*Ops, len(o.Ops)), file: o.file}
	for name, ops := range o.Ops {
		cpy.Ops[name] = ops.Copy()
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
		cpy.Maps[name] = m.Copy()
	}
	cpy.Programs = make(map[string]*ebpf.ProgramSpec, len(spec.Programs))
	for name, p := range spec.Programs {
		cpy.Programs[name] = p.Copy()
	}
	cpy.Variables = make(map[string]*ebpf.VariableSpec, len(spec.Variables))
	for name, v := range spec.Variables {
		cpy.Variables[name] = v.Copy()
	}
	return &cpy
}

// optional tells whether a section asks not to be loaded unless it is needed.
func optional(section string) bool { return strings.HasPrefix(section, "?") }

// ErrAmbiguous is returned by [FromSpec] if a spec does not say which callback
// belongs to which struct_ops map.
var ErrAmbiguous = errors.New("ambiguous struct_ops maps")
