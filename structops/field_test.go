package structops

import (
	"bytes"
	"testing"

	"github.com/cilium/ebpf/btf"
)

// TestHostileTypes covers types that no compiler makes.
func TestHostileTypes(t *testing.T) {
	loop := &btf.Struct{Name: "loop", Size: 8}
	loop.Members = []btf.Member{{Name: "loop", Type: loop}}
	anonymous := &btf.Struct{Size: 8}
	anonymous.Members = []btf.Member{{Type: anonymous}}
	outside := &btf.Struct{Name: "outside", Size: 8, Members: []btf.Member{{Name: "far", Type: tU32, Offset: 64}}}
	wide := &btf.Struct{Name: "wide", Size: 8, Members: []btf.Member{{Name: "bits", Type: tU32, BitfieldSize: 200}}}
	empty := &btf.Struct{Name: "empty", Size: 8, Members: []btf.Member{{Name: "none", Type: &btf.Array{Index: tU32, Type: &btf.Struct{}, Nelems: ^uint32(0)}}}}
	for _, typ := range []*btf.Struct{loop, anonymous, outside, wide, empty} {
		ops := &Ops{Name: "x", Type: typ, Value: make([]byte, 8), Programs: make([]string, len(typ.Members))}
		if _, err := ops.Get(""); err == nil {
			t.Errorf("%v: no error", typ)
		}
		ops.Members()
		_ = ops.Set("nope", 1)
	}
	short := &Ops{Name: "x", Type: outside, Value: make([]byte, 4), Programs: make([]string, 1)}
	_, err := short.Get("far")
	wantError(t, err, nil, "value has 4 bytes and 1 slots, struct outside has 8 and 1")
}

// FuzzPath looks up any path: an error or a field inside the value, never a panic.
func FuzzPath(f *testing.F) {
	ops := openShadow(f, "el").Ops["values"]
	for _, path := range []string{"", "u32", "point.y[2]", "points[1].level", "grid[0][1]", "split.low", "[", ".", "a]["} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		v, err := ops.Get(path)
		if err != nil {
			return
		}
		before := bytes.Clone(ops.Value)
		if err := ops.Set(path, v); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(before, ops.Value) {
			t.Errorf("path %q: the value has changed", path)
		}
	})
}
