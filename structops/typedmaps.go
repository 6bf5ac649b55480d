package structops

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// typedMap is an ordinary map with the IDs that its types have in the object's
// BTF.
type typedMap struct {
	name           string
	keyID, valueID btf.TypeID
}

// takesTypes tells whether the kernel takes types for maps of a kind. Mirrors
// libbpf bpf_object__create_map.
func takesTypes(typ ebpf.MapType) bool {
	switch typ {
	case ebpf.PerfEventArray, ebpf.CGroupArray, ebpf.StackTrace, ebpf.ArrayOfMaps, ebpf.HashOfMaps,
		ebpf.DevMap, ebpf.DevMapHash, ebpf.CPUMap, ebpf.XSKMap, ebpf.SockMap, ebpf.SockHash, ebpf.Queue, ebpf.Stack:
		return false
	}
	return true
}

// addTypedMap adds the types of an ordinary map to the object's BTF, if it has
// some. A PROG_ARRAY is left to upstream, which fills it.
func (l *loader) addTypedMap(name string, m *ebpf.MapSpec) error {
	if m.Key == nil && m.Value == nil || !takesTypes(m.Type) || m.Type == ebpf.ProgramArray {
		return nil
	}
	key, value, err := l.addTypes(m)
	if err != nil {
		return fmt.Errorf("map %q: %w", name, err)
	}
	l.typedMaps = append(l.typedMaps, typedMap{name, key, value})
	return nil
}

// createTypedMaps creates ordinary maps with the object's BTF and hands them to
// upstream as replacements, which would load a BTF for each of them. A map that
// the kernel refuses is left to upstream: it tries without types, and explains
// why not.
func (l *loader) createTypedMaps(spec *ebpf.CollectionSpec, opts *ebpf.CollectionOptions) (created []*ebpf.Map, err error) {
	for _, tm := range l.typedMaps {
		ms := spec.Maps[tm.name]
		if opts.MapReplacements[tm.name] != nil || ms.Pinning != ebpf.PinNone {
			continue
		}
		m, err := l.createTypedMap(tm, ms, spec.Variables)
		if err != nil && isLargeData(ms) {
			return created, fmt.Errorf("map %q: %d bytes: %w", tm.name, ms.ValueSize, err)
		}
		if err != nil {
			continue
		}
		created = append(created, m)
		if opts.MapReplacements == nil {
			opts.MapReplacements = make(map[string]*ebpf.Map)
		}
		opts.MapReplacements[tm.name] = m
	}
	return created, nil
}

// createTypedMap creates a map, writes its contents and freezes constants.
func (l *loader) createTypedMap(tm typedMap, ms *ebpf.MapSpec, vars map[string]*ebpf.VariableSpec) (_ *ebpf.Map, err error) {
	contents, err := contentsWith(vars, tm.name, ms)
	if err != nil {
		return nil, err
	}
	create := l.mapCreate(ms, ms.Name, tm.keyID, tm.valueID)
	if isData(ms.Name) {
		create.Flags |= sys.FlagMmapable
	}
	m, err := newMap(create)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	for _, kv := range contents {
		if err := m.Put(kv.Key, kv.Value); err != nil {
			return nil, fmt.Errorf("key %v: %w", kv.Key, err)
		}
	}
	if isConstant(ms.Name) {
		if err := m.Freeze(); err != nil {
			return nil, fmt.Errorf("freeze: %w", err)
		}
	}
	return m, nil
}

// contentsWith returns the contents of a map, which are those of its variables
// if it is a data section. Mirrors cilium/ebpf MapSpec.updateDataSection.
func contentsWith(vars map[string]*ebpf.VariableSpec, section string, ms *ebpf.MapSpec) ([]ebpf.MapKV, error) {
	if _, ok := ms.Value.(*btf.Datasec); !ok || isLargeData(ms) {
		return ms.Contents, nil
	}
	initial, ok := ms.Contents[0].Value.([]byte)
	if !ok || len(ms.Contents) != 1 {
		return nil, errors.New("contents are not those of a data section")
	}
	data := slices.Clone(initial)
	var inSection []*ebpf.VariableSpec
	for _, v := range vars {
		if v.SectionName == section {
			inSection = append(inSection, v)
		}
	}
	slices.SortFunc(inSection, func(a, b *ebpf.VariableSpec) int { return cmp.Compare(a.Offset, b.Offset) })
	var end uint64
	for _, v := range inSection {
		begin := uint64(v.Offset)
		if begin < end || begin+uint64(len(v.Value)) > uint64(len(data)) {
			return nil, fmt.Errorf("variable %q exceeds the section or overlaps with another one", v.Name)
		}
		end = begin + uint64(copy(data[begin:], v.Value))
	}
	return []ebpf.MapKV{{Key: ms.Contents[0].Key, Value: data}}, nil
}

// isLargeData tells whether a map is a data section that has no contents, because
// it is large and all zero. Upstream would write the zeroes.
func isLargeData(ms *ebpf.MapSpec) bool {
	_, ok := ms.Value.(*btf.Datasec)
	return ok && len(ms.Contents) == 0
}

// isData tells whether upstream maps a section into memory. Mirrors cilium/ebpf
// isDataSection.
func isData(section string) bool {
	return section == ".bss" || strings.HasPrefix(section, ".data") || strings.HasPrefix(section, ".rodata")
}
