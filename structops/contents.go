package structops

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
)

// fillOwnMaps writes the initial contents of maps that upstream can't create,
// except maps of maps: fillOuterMaps does.
func (l *loader) fillOwnMaps() error {
	for _, om := range l.ownMaps {
		if storesMaps(om.spec.Type) {
			continue
		}
		m := l.own[om.name]
		if err := fill(om.name, m, om.spec.Contents, l.inner); err != nil {
			return err
		}
		if isConstant(om.name) {
			if err := m.Freeze(); err != nil {
				return fmt.Errorf("map %q: freeze: %w", om.name, err)
			}
		}
	}
	return nil
}

// loadAndFill has the programs loaded and fills the maps of maps meanwhile. After
// each change to such a map the kernel waits for a grace period of RCU, which
// takes longer than most objects' programs, see maybe_wait_bpf_programs in
// kernel/bpf/syscall.c. The verifier doesn't look into them. Their failure is the
// one that is reported, as libbpf fills them first.
func (l *loader) loadAndFill() error {
	outer := l.outerMaps()
	if len(outer) == 0 {
		return l.loadPrograms()
	}
	filled := make(chan error, 1)
	go func() { filled <- l.fillOuterMaps(outer) }()
	refused := l.loadPrograms()
	if err := <-filled; err != nil {
		return err
	}
	return refused
}

// outerMaps returns the contents of the maps of maps that have some.
func (l *loader) outerMaps() map[string][]ebpf.MapKV {
	outer := make(map[string][]ebpf.MapKV)
	add := func(name string, m *ebpf.MapSpec) {
		if storesMaps(m.Type) && len(m.Contents) > 0 {
			outer[name] = m.Contents
		}
	}
	for name, m := range l.obj.Spec.Maps {
		add(name, m)
	}
	for _, om := range l.ownMaps {
		add(om.name, om.spec)
	}
	return outer
}

// fillOuterMaps writes the inner maps that maps of maps have from the start.
//
// Mirrors libbpf init_map_in_map_slots.
func (l *loader) fillOuterMaps(outer map[string][]ebpf.MapKV) error {
	for _, name := range slices.Sorted(maps.Keys(outer)) {
		if err := fill(name, l.mapNamed(name), outer[name], l.inner); err != nil {
			return err
		}
	}
	return nil
}

// fillProgArrays writes the programs into the PROG_ARRAYs that the object
// declares with contents.
//
// Mirrors libbpf bpf_object_init_prog_arrays.
func (l *loader) fillProgArrays() error {
	progs := make(map[string]*ebpf.Program)
	for _, p := range l.progs {
		progs[p.name] = p.loaded
	}
	program := func(name string) (any, error) {
		if progs[name] == nil {
			return nil, fmt.Errorf("program %q is not loaded", name)
		}
		return progs[name], nil
	}
	for _, name := range slices.Sorted(maps.Keys(l.obj.Spec.Maps)) {
		m := l.obj.Spec.Maps[name]
		if m.Type != ebpf.ProgramArray {
			continue
		}
		if err := fill(name, l.coll.Maps[name], m.Contents, program); err != nil {
			return err
		}
	}
	return nil
}

// fill writes the initial contents of a map. A value that is a name stands for
// what target returns for it.
func fill(name string, m *ebpf.Map, contents []ebpf.MapKV, target func(string) (any, error)) error {
	for _, kv := range contents {
		value := kv.Value
		if ref, ok := value.(string); ok {
			var err error
			if value, err = target(ref); err != nil {
				return fmt.Errorf("map %q: key %v: %w", name, kv.Key, err)
			}
		}
		if err := m.Put(kv.Key, value); err != nil {
			return explainContents(name, kv.Key, err)
		}
	}
	return nil
}

// inner returns the map that a value of a map of maps names.
func (l *loader) inner(name string) (any, error) {
	m := l.mapNamed(name)
	if m == nil {
		return nil, fmt.Errorf("no map %q", name)
	}
	return m, nil
}

// storesMaps tells whether the values of a map are maps.
func storesMaps(typ ebpf.MapType) bool {
	return typ == ebpf.ArrayOfMaps || typ == ebpf.HashOfMaps
}
