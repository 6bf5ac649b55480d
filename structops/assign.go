package structops

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/ebpfx/ebpfx/btfx"
)

// LoadAndAssign is [ebpf.CollectionSpec.LoadAndAssign] for specs with struct_ops
// maps: it loads what the tagged fields of a struct name and everything that
// needs, and assigns it. A struct_ops map brings its callbacks along, and a
// callback does not need its map.
//
// The fields of programs that [Options.Missing] has dropped stay nil. Link maps (section .struct_ops.link) are populated, ready for [Attach]. opts
// may be nil. The spec is not changed. The caller closes what was assigned.
//
// Returns an error that wraps [ErrAmbiguous] if the spec does not tell callbacks
// apart; [Options.ELF] removes the ambiguity.
func LoadAndAssign(spec *ebpf.CollectionSpec, to any, opts *Options) error {
	obj, err := objectOf(spec, opts)
	if err != nil {
		return err
	}
	return obj.LoadAndAssign(to, opts)
}

// objectOf makes an object of a spec, and of its file where the options have it.
func objectOf(spec *ebpf.CollectionSpec, opts *Options) (*Object, error) {
	if opts == nil || opts.ELF == nil || spec == nil {
		return FromSpec(spec)
	}
	file, err := btfx.NewFile(opts.ELF)
	if err != nil {
		return nil, fmt.Errorf("Options.ELF: %w", err)
	}
	return fromSpecAndFile(spec, file)
}

// LoadAndAssign loads what the tagged fields of a struct name. See the function
// [LoadAndAssign].
func (o *Object) LoadAndAssign(to any, opts *Options) error {
	sel, err := selectFor(o, to)
	if err != nil {
		return err
	}
	if err := sel.checkProgArrays(o); err != nil {
		return err
	}
	coll, err := o.load(opts, sel)
	if err != nil {
		return err
	}
	// Assign takes out what it hands over.
	defer coll.Close()
	for _, name := range slices.Sorted(maps.Keys(coll.ops)) {
		if coll.ops[name].Link {
			if err := coll.ops[name].populate(); err != nil {
				return err
			}
		}
	}
	return coll.assign(to, sel.fields)
}

// checkProgArrays refuses to lose the contents of a PROG_ARRAY: the kernel
// empties it when its last FD is closed.
func (s *selection) checkProgArrays(o *Object) error {
	for _, name := range slices.Sorted(maps.Keys(s.maps)) {
		m := o.Spec.Maps[name]
		if m == nil || m.Type != ebpf.ProgramArray || len(m.Contents) == 0 {
			continue
		}
		if !slices.ContainsFunc(s.fields, func(f taggedField) bool { return f.name == name }) {
			return fmt.Errorf("ProgramArray %s must be assigned to prevent missed tail calls", name)
		}
	}
	return nil
}

// assign is [ebpf.Collection.Assign], but for fields of programs that were
// dropped, which it leaves alone: the struct that bpf2go generates has them all.
// fields are those of the struct.
func (c *Collection) assign(to any, fields []taggedField) error {
	if len(c.Dropped) == 0 {
		return c.Assign(to)
	}
	fields = slices.DeleteFunc(slices.Clone(fields), func(f taggedField) bool {
		return f.typ == reflect.TypeFor[*ebpf.Program]() && c.Programs[f.name] == nil &&
			slices.ContainsFunc(c.Dropped, func(d Dropped) bool { return d.Program == f.name })
	})
	var kept []reflect.StructField
	for i, f := range fields {
		if !f.value.CanSet() {
			return fmt.Errorf("field %s: can't be set", f.field)
		}
		kept = append(kept, reflect.StructField{
			Name: fmt.Sprintf("Field%d", i), Type: f.typ, Tag: reflect.StructTag(fmt.Sprintf("ebpf:%q", f.name)),
		})
	}
	assigned := reflect.New(reflect.StructOf(kept))
	if err := c.Assign(assigned.Interface()); err != nil {
		return err
	}
	for i, f := range fields {
		f.value.Set(assigned.Elem().Field(i))
	}
	return nil
}
