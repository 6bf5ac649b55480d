package structops

import (
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// flagLink is BPF_F_LINK.
const flagLink = sys.FlagLink

// kconfigMap is the map of the values of __kconfig externs, one per object.
const kconfigMap = ".kconfig"

// createMaps creates all maps: struct_ops maps and those that need the object's
// BTF by ourselves, ordinary ones by upstream.
func (l *loader) createMaps() error {
	if err := l.createOpsMaps(); err != nil {
		return err
	}
	if err := l.createOwnMaps(); err != nil {
		return err
	}
	spec := *l.obj.Spec
	spec.Programs = nil
	spec.Maps = maps.Clone(spec.Maps)
	for name, m := range spec.Maps {
		roundRingBuf(m)
		if m.Type == ebpf.ProgramArray {
			// Filled when the programs are loaded.
			m = m.Copy()
			m.Contents = nil
			spec.Maps[name] = m
		}
	}
	if value := l.externs.Kconfig; value != nil {
		spec.Maps[kconfigMap] = &ebpf.MapSpec{
			Name: kconfigMap, Type: ebpf.Array, KeySize: 4, ValueSize: uint32(len(value)), MaxEntries: 1,
			Flags:    sys.FlagReadOnlyProg,
			Contents: []ebpf.MapKV{{Key: uint32(0), Value: value}},
		}
	}
	coll, err := ebpf.NewCollectionWithOptions(&spec, l.opts.CollectionOptions)
	if err != nil {
		return err
	}
	l.coll = coll
	return l.fillOwnMaps()
}

// createOpsMaps creates the struct_ops maps. They are populated at attach.
func (l *loader) createOpsMaps() error {
	l.ops = make(map[string]*ebpf.Map)
	for _, p := range l.plan.Maps {
		if !l.sel.creates(p.Name) {
			continue
		}
		create := &sys.MapCreate{
			Type: sys.MapTypeStructOps, KeySize: 4, ValueSize: p.ValueSize, MaxEntries: 1,
			Name:               p.Name,
			BTFFD:              l.btfFD(),
			VmlinuxValueTypeID: uint32(p.ValueRef.ID),
		}
		if p.Link {
			create.Flags |= sys.FlagLink
		}
		if p.ValueRef.Module != "" {
			create.Flags |= sys.FlagVtypeBTFObjFD
			create.ValueTypeBTFObjFD = int32(l.moduleFD(p.ValueRef))
		}
		m, err := newMap(create)
		if err != nil {
			return explainCreate(&p, err)
		}
		l.ops[p.Name] = m
	}
	return nil
}

// newMap creates a map. The caller closes it.
func newMap(create *sys.MapCreate) (*ebpf.Map, error) {
	fd, err := sys.CreateMap(create)
	if err != nil {
		return nil, err
	}
	return ebpf.NewMapFromFD(fd)
}

// ownMap is a map that upstream can't create, because its types must be those
// of the object's BTF.
type ownMap struct {
	name             string
	spec             *ebpf.MapSpec
	keyID, valueID   btf.TypeID
	innerKey, innerV btf.TypeID
}

// addMapTypes takes the maps that need the object's BTF out of the spec and adds
// their types to it.
func (l *loader) addMapTypes() error {
	spec := l.obj.Spec
	for _, name := range slices.Sorted(maps.Keys(spec.Maps)) {
		m := spec.Maps[name]
		if !needsObjectBTF(m) && m.Type != ebpf.Arena {
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
			return fmt.Errorf("map %q: %w", om.name, err)
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
	if m := l.opts.MapReplacements[om.name]; m != nil {
		delete(l.opts.MapReplacements, om.name)
		if err := om.spec.Compatible(m); err != nil {
			return nil, err
		}
		return m.Clone()
	}
	if om.spec.Pinning != ebpf.PinByName {
		return l.newOwnMap(om)
	}
	if l.opts.Maps.PinPath == "" {
		return nil, errors.New("pinned by name, but Options.Maps.PinPath is empty")
	}
	path := l.opts.Maps.PinPath + "/" + om.name
	m, err := ebpf.LoadPinnedMap(path, &l.opts.Maps.LoadPinOptions)
	if err == nil {
		if err := om.spec.Compatible(m); err != nil {
			m.Close()
			return nil, fmt.Errorf("use pinned map %s: %w", path, err)
		}
		return m, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if m, err = l.newOwnMap(om); err != nil {
		return nil, err
	}
	if err := m.Pin(path); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// newOwnMap creates a map with the object's BTF and writes its contents.
func (l *loader) newOwnMap(om *ownMap) (*ebpf.Map, error) {
	create := l.mapCreate(om.spec, om.name, om.keyID, om.valueID)
	if inner := om.spec.InnerMap; inner != nil {
		template, err := newMap(l.mapCreate(inner, om.name+".inner", om.innerKey, om.innerV))
		if err != nil {
			return nil, fmt.Errorf("inner map: %w", err)
		}
		defer template.Close()
		create.InnerMapFD = uint32(template.FD())
		create.BTFFD, create.KeyTypeID, create.ValueTypeID = 0, 0, 0
	}
	m, err := newMap(create)
	if err != nil {
		return nil, err
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

// fillOwnMaps writes the initial contents, when the maps that they may name
// exist.
func (l *loader) fillOwnMaps() error {
	for _, om := range l.ownMaps {
		m := l.own[om.name]
		for _, kv := range om.spec.Contents {
			value := kv.Value
			if name, ok := value.(string); ok {
				inner := l.mapNamed(name)
				if inner == nil {
					return fmt.Errorf("map %q: key %v: no map %q", om.name, kv.Key, name)
				}
				value = inner
			}
			if err := m.Put(kv.Key, value); err != nil {
				return fmt.Errorf("map %q: key %v: %w", om.name, kv.Key, err)
			}
		}
		if isConstant(om.name) {
			if err := m.Freeze(); err != nil {
				return fmt.Errorf("map %q: freeze: %w", om.name, err)
			}
		}
	}
	return nil
}

// roundRingBuf rounds the size of a ring buffer up to what the kernel takes: a
// power of two, and at least a page.
//
// Mirrors libbpf adjust_ringbuf_sz.
func roundRingBuf(m *ebpf.MapSpec) {
	if m.InnerMap != nil {
		roundRingBuf(m.InnerMap)
	}
	const userRingBuf = 31
	if m.Type != ebpf.RingBuf && m.Type != userRingBuf {
		return
	}
	page := uint32(os.Getpagesize())
	size := max(m.MaxEntries, page)
	if size&(size-1) != 0 && size < 1<<31 {
		size = 1 << bits.Len32(size)
	}
	m.MaxEntries = size
}

// linkMaps puts the FDs of maps into a program's instructions. A map that is
// not loaded leaves a load that the verifier refuses if it is reached, as an
// optional map may be used behind a check.
func (l *loader) linkMaps(p *program) error {
	for i := range p.spec.Instructions {
		ins := &p.spec.Instructions[i]
		name := ins.Reference()
		if !ins.IsLoadFromMap() || name == "" || int32(ins.Constant) > 0 {
			continue
		}
		m := l.mapNamed(name)
		if m == nil {
			if l.obj.Ops[name] == nil {
				return fmt.Errorf("instruction %d: no map %q: %w", i, name, asm.ErrUnsatisfiedMapReference)
			}
			ins.Src, ins.Dst, ins.Constant = 0, asm.R10, absentMap
			*ins = ins.WithReference("").WithSource(asm.Comment(fmt.Sprintf("map %q is not loaded", name)))
			continue
		}
		if err := ins.AssociateMap(m); err != nil {
			return fmt.Errorf("instruction %d: map %q: %w", i, name, err)
		}
	}
	return nil
}

// absentMap is loaded into r10, which no program may write, in place of the
// address of a map that is not loaded.
const absentMap = 200_100_000

func (l *loader) mapNamed(name string) *ebpf.Map {
	if m := l.ops[name]; m != nil {
		return m
	}
	if m := l.own[name]; m != nil {
		return m
	}
	return l.coll.Maps[name]
}

// fillProgArrays writes the programs into the PROG_ARRAYs that the object
// declares with contents.
func (l *loader) fillProgArrays() error {
	progs := make(map[string]*ebpf.Program)
	for _, p := range l.progs {
		progs[p.name] = p.loaded
	}
	for _, name := range slices.Sorted(maps.Keys(l.obj.Spec.Maps)) {
		m := l.obj.Spec.Maps[name]
		if m.Type != ebpf.ProgramArray {
			continue
		}
		for _, kv := range m.Contents {
			value := kv.Value
			if target, ok := value.(string); ok {
				if progs[target] == nil {
					return fmt.Errorf("map %q: key %v: program %q is not loaded", name, kv.Key, target)
				}
				value = progs[target]
			}
			if err := l.coll.Maps[name].Put(kv.Key, value); err != nil {
				return fmt.Errorf("map %q: key %v: %w", name, kv.Key, err)
			}
		}
	}
	if m := l.coll.Maps[kconfigMap]; m != nil {
		delete(l.coll.Maps, kconfigMap) // the programs hold it
		m.Close()
	}
	return nil
}
