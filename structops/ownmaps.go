package structops

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// ownMap is a map that upstream can't create, because its types must be those
// of the object's BTF.
type ownMap struct {
	name             string
	spec             *ebpf.MapSpec
	keyID, valueID   btf.TypeID
	innerKey, innerV btf.TypeID
}

// addMapTypes adds the types of maps to the object's BTF, and takes the maps that
// upstream can't create out of the spec.
func (l *loader) addMapTypes() error {
	spec := l.obj.Spec
	if err := resizeData(spec); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Maps)) {
		m := spec.Maps[name]
		if !needsObjectBTF(m) && m.Type != ebpf.Arena {
			if err := l.addTypedMap(name, m); err != nil {
				return err
			}
			continue
		}
		om := &ownMap{name: name, spec: m}
		var err error
		if om.keyID, om.valueID, err = l.addTypes(m); err != nil {
			return fmt.Errorf("map %q: %w", name, err)
		}
		if m.InnerMap != nil {
			if om.innerKey, om.innerV, err = l.addTypes(m.InnerMap); err != nil {
				return fmt.Errorf("map %q: inner map: %w", name, err)
			}
		}
		for _, v := range slices.Sorted(maps.Keys(spec.Variables)) {
			if spec.Variables[v].SectionName == name {
				return fmt.Errorf("map %q: variable %q is visible, but a section with locks, lists, trees or kptrs can't be mapped: "+
					"make it static or __hidden", name, v)
			}
		}
		delete(spec.Maps, name)
		l.ownMaps = append(l.ownMaps, om)
	}
	return nil
}

// addTypes adds the key and value type of a map to the object's BTF.
func (l *loader) addTypes(m *ebpf.MapSpec) (key, value btf.TypeID, err error) {
	if m.Key != nil {
		if key, err = l.builder.Add(m.Key); err != nil {
			return 0, 0, err
		}
	}
	if m.Value != nil {
		if value, err = l.builder.Add(m.Value); err != nil {
			return 0, 0, err
		}
	}
	return key, value, nil
}

func (l *loader) createOwnMaps() error {
	l.own, l.arenas = make(map[string]*ebpf.Map), make(map[string]*Arena)
	for _, om := range l.ownMaps {
		m, err := l.createOwnMap(om)
		if err != nil {
			return err
		}
		l.own[om.name] = m
		if om.spec.Type == ebpf.Arena {
			if err := l.mapArena(om.name, m, om.spec); err != nil {
				return fmt.Errorf("map %q: %w", om.name, err)
			}
		}
	}
	return nil
}

// createOwnMap takes the caller's map, or the pinned one, or creates one.
func (l *loader) createOwnMap(om *ownMap) (*ebpf.Map, error) {
	m := l.opts.MapReplacements[om.name]
	switch {
	case m == nil && om.spec.Pinning == ebpf.PinByName:
		return l.pinnedOwnMap(om)
	case m == nil:
		return l.newOwnMap(om)
	}
	if err := om.spec.Compatible(m); err != nil {
		return nil, fmt.Errorf("map %q: use replacement: %w", om.name, err)
	}
	m, err := m.Clone()
	if err != nil {
		return nil, fmt.Errorf("map %q: %w", om.name, err)
	}
	return m, nil
}

// pinnedOwnMap opens the pinned map, or creates and pins one.
func (l *loader) pinnedOwnMap(om *ownMap) (*ebpf.Map, error) {
	if l.opts.Maps.PinPath == "" {
		return nil, fmt.Errorf("map %q: pinned by name, but Options.Maps.PinPath is empty", om.name)
	}
	path := l.opts.Maps.PinPath + "/" + om.name
	m, err := ebpf.LoadPinnedMap(path, &l.opts.Maps.LoadPinOptions)
	if err == nil {
		if err := om.spec.Compatible(m); err != nil {
			m.Close()
			return nil, fmt.Errorf("map %q: use pinned map %s: %w", om.name, path, err)
		}
		return m, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("map %q: %w", om.name, err)
	}
	if m, err = l.newOwnMap(om); err != nil {
		return nil, err
	}
	if err := m.Pin(path); err != nil {
		m.Close()
		return nil, fmt.Errorf("map %q: %w", om.name, err)
	}
	return m, nil
}

// newOwnMap creates a map with the object's BTF.
func (l *loader) newOwnMap(om *ownMap) (*ebpf.Map, error) {
	create := l.mapCreate(om.spec, om.name, om.keyID, om.valueID)
	if inner := om.spec.InnerMap; inner != nil {
		template, err := newMap(l.mapCreate(inner, om.name+".inner", om.innerKey, om.innerV))
		if err != nil {
			return nil, explainMap(om.name+".inner", inner, err)
		}
		defer template.Close()
		create.InnerMapFD = uint32(template.FD())
		create.BTFFD, create.KeyTypeID, create.ValueTypeID = 0, 0, 0
	}
	m, err := newMap(create)
	if err != nil {
		return nil, explainMap(om.name, om.spec, err)
	}
	return m, nil
}

func (l *loader) mapCreate(spec *ebpf.MapSpec, name string, key, value btf.TypeID) *sys.MapCreate {
	return &sys.MapCreate{
		Type: uint32(spec.Type), KeySize: spec.KeySize, ValueSize: spec.ValueSize, MaxEntries: spec.MaxEntries,
		Flags: spec.Flags, NumaNode: spec.NumaNode, Name: name, Extra: spec.MapExtra,
		BTFFD: l.btfFD(), KeyTypeID: uint32(key), ValueTypeID: uint32(value),
	}
}
