package structops

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// resizeData lets data sections have the size that the caller gave them by
// setting ValueSize of their map: contents, the last array in the section and its
// BTF follow.
//
// Mirrors libbpf bpf_map__set_value_size and map_btf_datasec_resize. Differs
// from libbpf: a section that does not end with an array is an error, where
// libbpf drops the map's BTF.
func resizeData(spec *ebpf.CollectionSpec) error {
	for _, name := range slices.Sorted(maps.Keys(spec.Maps)) {
		m := spec.Maps[name]
		ds, ok := m.Value.(*btf.Datasec)
		if !ok || m.Type != ebpf.Array || m.ValueSize == ds.Size {
			continue
		}
		v, resized, err := resizeDatasec(ds, m.ValueSize)
		if err != nil {
			return fmt.Errorf("map %q: ValueSize %d, section has %d bytes: %w", name, m.ValueSize, ds.Size, err)
		}
		m.Value = resized
		if err := resizeContents(m); err != nil {
			return fmt.Errorf("map %q: %w", name, err)
		}
		if vs := spec.Variables[v.Name]; vs != nil && vs.SectionName == name {
			size := int(m.ValueSize - vs.Offset)
			vs.Value = withSize(vs.Value, size)
			vs.Type = v
		}
	}
	return nil
}

// resizeDatasec returns a DATASEC of another size, and its last variable.
func resizeDatasec(ds *btf.Datasec, size uint32) (*btf.Var, *btf.Datasec, error) {
	if len(ds.Vars) == 0 {
		return nil, nil, fmt.Errorf("the DATASEC is empty")
	}
	cpy := &btf.Datasec{Name: ds.Name, Size: size, Vars: slices.Clone(ds.Vars)}
	last := &cpy.Vars[len(cpy.Vars)-1]
	v, ok := last.Type.(*btf.Var)
	if !ok {
		return nil, nil, fmt.Errorf("the DATASEC ends with %v", last.Type)
	}
	arr, ok := btf.UnderlyingType(v.Type).(*btf.Array)
	if !ok {
		return nil, nil, fmt.Errorf("the last variable %q is no array, so the section can't be resized", v.Name)
	}
	elem, err := btf.Sizeof(arr.Type)
	if err != nil || elem == 0 {
		return nil, nil, fmt.Errorf("variable %q: element of size %d: %w", v.Name, elem, err)
	}
	if size <= last.Offset || (size-last.Offset)%uint32(elem) != 0 {
		return nil, nil, fmt.Errorf("variable %q at offset %d has elements of %d bytes", v.Name, last.Offset, elem)
	}
	last.Size = size - last.Offset
	newVar := *v
	newVar.Type = &btf.Array{Index: arr.Index, Type: arr.Type, Nelems: last.Size / uint32(elem)}
	last.Type = &newVar
	return &newVar, cpy, nil
}

// resizeContents brings the initial contents of a data section to its size.
func resizeContents(m *ebpf.MapSpec) error {
	for i, kv := range m.Contents {
		data, ok := kv.Value.([]byte)
		if !ok {
			return fmt.Errorf("contents are %T, not bytes", kv.Value)
		}
		m.Contents[i].Value = withSize(data, int(m.ValueSize))
	}
	return nil
}

// withSize returns a copy that is cut, or filled up with zeroes.
func withSize(data []byte, size int) []byte {
	cpy := make([]byte, size)
	copy(cpy, data)
	return cpy
}
