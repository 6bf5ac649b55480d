package structops

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// section makes a spec with one data section of 12 bytes: a number, then an
// array of two.
func section() *ebpf.CollectionSpec {
	number := &btf.Var{Name: "number", Type: tU32, Linkage: btf.GlobalVar}
	list := &btf.Var{Name: "list", Type: &btf.Array{Index: tU32, Type: tU32, Nelems: 2}, Linkage: btf.GlobalVar}
	return &ebpf.CollectionSpec{
		Maps: map[string]*ebpf.MapSpec{".data.grow": {
			Name: ".data.grow", Type: ebpf.Array, KeySize: 4, ValueSize: 12, MaxEntries: 1,
			Key: &btf.Void{}, Value: &btf.Datasec{Name: ".data.grow", Size: 12, Vars: []btf.VarSecinfo{
				{Type: number, Offset: 0, Size: 4}, {Type: list, Offset: 4, Size: 8},
			}},
			Contents: []ebpf.MapKV{{Key: uint32(0), Value: []byte{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0}}},
		}},
		Variables: map[string]*ebpf.VariableSpec{
			"number": {SectionName: ".data.grow", Name: "number", Value: []byte{1, 0, 0, 0}, Type: number},
			"list":   {SectionName: ".data.grow", Name: "list", Offset: 4, Value: []byte{2, 0, 0, 0, 3, 0, 0, 0}, Type: list},
		},
	}
}

func TestResizeData(t *testing.T) {
	spec := section()
	before := spec.Maps[".data.grow"].Value.(*btf.Datasec)
	spec.Maps[".data.grow"].ValueSize = 20
	if err := resizeData(spec); err != nil {
		t.Fatal(err)
	}
	m := spec.Maps[".data.grow"]
	ds := m.Value.(*btf.Datasec)
	list := ds.Vars[1].Type.(*btf.Var)
	got := []any{ds.Size, ds.Vars[1].Size, list.Type.(*btf.Array).Nelems, m.Contents[0].Value, spec.Variables["list"].Value, spec.Variables["list"].Type == list}
	want := []any{
		uint32(20), uint32(16), uint32(4),
		[]byte{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		[]byte{2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resized section (-want +got):\n%s", diff)
	}
	if before.Size != 12 || before.Vars[1].Size != 8 || before.Vars[1].Type.(*btf.Var).Type.(*btf.Array).Nelems != 2 {
		t.Error("the types of the object were changed")
	}
}

func TestResizeDataErrors(t *testing.T) {
	noArray := section()
	ds := noArray.Maps[".data.grow"].Value.(*btf.Datasec)
	ds.Vars = ds.Vars[:1]
	for name, tc := range map[string]struct {
		spec *ebpf.CollectionSpec
		size uint32
		want string
	}{
		"fraction of an element": {section(), 14, `variable "list" at offset 4 has elements of 4 bytes`},
		"array gone":             {section(), 4, `variable "list" at offset 4`},
		"no array":               {noArray, 16, `the last variable "number" is no array`},
	} {
		t.Run(name, func(t *testing.T) {
			tc.spec.Maps[".data.grow"].ValueSize = tc.size
			wantError(t, resizeData(tc.spec), nil, `map ".data.grow": ValueSize`, tc.want)
		})
	}
}

// TestResizeLoaded reads an element beyond the original end through the
// variable of a loaded collection.
func TestResizeLoaded(t *testing.T) {
	needKernel(t)
	spec := section()
	spec.Maps[".data.grow"].ValueSize = 4096
	coll := mustLoad(t, &Object{Spec: spec}, nil)
	list := make([]uint32, 1023)
	if err := coll.Variables["list"].Get(list); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint32{2, 3, 0}, list[:3]); diff != "" {
		t.Error(diff)
	}
}
