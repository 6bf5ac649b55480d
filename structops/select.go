package structops

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
)

// selection is what a load was asked for, with everything that depends on it.
type selection struct {
	// all selects everything that is not optional; the sets are empty then.
	all bool
	// By name. Ops maps are in maps too.
	maps, progs map[string]bool
	// fields are those of the struct that asks, if one does.
	fields []taggedField
}

func selectAll() *selection { return &selection{all: true} }

// named tells whether a map or program was asked for, which makes an optional
// one mandatory.
func (s *selection) named(name string) bool { return s.maps[name] || s.progs[name] }

// creates tells whether a struct_ops map is to be created.
func (s *selection) creates(name string) bool { return s.all || s.maps[name] }

// reduce returns a copy of an object with what was selected.
func (s *selection) reduce(o *Object) *Object {
	obj := s.withPrograms(o).Copy()
	for _, prog := range obj.Spec.Programs {
		orderFunctions(prog.Instructions)
	}
	if s.all {
		return obj
	}
	keep := func(set map[string]bool) func(string) bool { return func(name string) bool { return !set[name] } }
	deleteNames(obj.Spec.Maps, keep(s.maps))
	deleteNames(obj.Spec.Variables, func(name string) bool { return !s.maps[obj.Spec.Variables[name].SectionName] })
	for name, ops := range obj.Ops {
		if s.maps[name] {
			continue
		}
		// A callback may be loaded without its map, but only the map tells
		// which member it belongs to.
		clear(ops.Value)
		used := false
		for i, prog := range ops.Programs {
			if !s.progs[prog] {
				ops.Programs[i] = ""
			}
			used = used || ops.Programs[i] != ""
		}
		if used {
			ops.Section = strings.TrimPrefix(ops.Section, "?")
		} else {
			delete(obj.Ops, name)
		}
	}
	return obj
}

// withPrograms returns the object without the programs that are not to be loaded,
// as far as that can be told without a kernel. They may be most of the object, so
// they are not copied. It shares everything with the object.
func (s *selection) withPrograms(o *Object) *Object {
	obj, spec := *o, *o.Spec
	spec.Programs = maps.Clone(spec.Programs)
	maps.DeleteFunc(spec.Programs, func(name string, prog *ebpf.ProgramSpec) bool {
		return prog.Type != ebpf.StructOps && optional(prog.SectionName) && !s.named(name) || !s.all && !s.progs[name]
	})
	obj.Spec = &spec
	return &obj
}

func deleteNames[T any](m map[string]T, drop func(string) bool) {
	maps.DeleteFunc(m, func(name string, _ T) bool { return drop(name) })
}

// selectFor selects what the tagged fields of a struct name, and what that needs.
func selectFor(o *Object, to any) (*selection, error) {
	fields, err := taggedFields(to)
	if err != nil {
		return nil, err
	}
	s := &selection{fields: fields, maps: make(map[string]bool), progs: make(map[string]bool)}
	for _, f := range fields {
		switch f.typ {
		case reflect.TypeFor[*ebpf.Map]():
			if o.Spec.Maps[f.name] == nil && o.Ops[f.name] == nil {
				return nil, fmt.Errorf("field %s: missing map %q", f.field, f.name)
			}
			s.addMap(o, f.name)
		case reflect.TypeFor[*ebpf.Program]():
			if o.Spec.Programs[f.name] == nil {
				return nil, fmt.Errorf("field %s: missing program %q", f.field, f.name)
			}
			s.addProgram(o, f.name)
		case reflect.TypeFor[*ebpf.Variable]():
			v := o.Spec.Variables[f.name]
			if v == nil {
				return nil, fmt.Errorf("field %s: missing variable %q", f.field, f.name)
			}
			s.addMap(o, v.SectionName)
		default:
			return nil, fmt.Errorf("field %s: unsupported type %s", f.field, f.typ)
		}
	}
	return s, nil
}

// addMap selects a map with the programs and maps that it holds.
func (s *selection) addMap(o *Object, name string) {
	if s.maps[name] {
		return
	}
	s.maps[name] = true
	if ops := o.Ops[name]; ops != nil {
		for _, prog := range ops.Programs {
			s.addProgram(o, prog)
		}
		return
	}
	m := o.Spec.Maps[name]
	if m == nil {
		return
	}
	for _, kv := range m.Contents {
		target, ok := kv.Value.(string)
		if !ok {
			continue
		}
		if m.Type == ebpf.ProgramArray {
			s.addProgram(o, target)
		} else {
			s.addMap(o, target)
		}
	}
}

// addProgram selects a program with the maps that its instructions load.
func (s *selection) addProgram(o *Object, name string) {
	prog := o.Spec.Programs[name]
	if prog == nil || s.progs[name] {
		return
	}
	s.progs[name] = true
	for i := range prog.Instructions {
		ins := &prog.Instructions[i]
		ref := ins.Reference()
		if ref != "" && ins.IsLoadFromMap() && (o.Spec.Maps[ref] != nil || o.Ops[ref] != nil) {
			s.addMap(o, ref)
		}
	}
}

// taggedField is a struct field with an ebpf tag.
type taggedField struct {
	field, name string
	typ         reflect.Type
	value       reflect.Value
}

// taggedFields lists the tagged fields of a struct and of the structs in it, as
// [ebpf.Collection.Assign] sees them.
func taggedFields(to any) ([]taggedField, error) {
	v := reflect.ValueOf(to)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("%T is not a pointer to a struct", to)
	}
	return appendFields(nil, v.Elem(), nil)
}

func appendFields(fields []taggedField, v reflect.Value, within []reflect.Type) ([]taggedField, error) {
	if slices.Contains(within, v.Type()) {
		return nil, fmt.Errorf("recursion on type %s", v.Type())
	}
	within = append(within, v.Type())
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		if name := field.Tag.Get("ebpf"); name != "" {
			fields = append(fields, taggedField{field.Name, name, field.Type, value})
			continue
		}
		if field.Type.Kind() == reflect.Pointer && field.Type.Elem().Kind() == reflect.Struct {
			if value.IsNil() {
				return nil, fmt.Errorf("field %s: nil pointer to %s", field.Name, field.Type.Elem())
			}
			value = value.Elem()
		}
		if value.Kind() != reflect.Struct {
			continue
		}
		var err error
		if fields, err = appendFields(fields, value, within); err != nil {
			return nil, fmt.Errorf("field %s: %w", field.Name, err)
		}
	}
	return fields, nil
}
