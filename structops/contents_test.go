package structops

import (
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/google/go-cmp/cmp"
)

// TestMapsOfMaps reads back which inner maps are where: of maps that upstream
// creates, and of one that needs the object's BTF.
func TestMapsOfMaps(t *testing.T) {
	needLinks(t)
	coll := mustLoad(t, openGolden(t, "outer"), nil)
	names := make(map[ebpf.MapID]string)
	for name, m := range coll.Maps {
		info, err := m.Info()
		if err != nil {
			t.Fatal(err)
		}
		id, ok := info.ID()
		if !ok {
			t.Fatalf("map %q has no ID", name)
		}
		names[id] = name
	}
	got := make(map[string]map[uint32]string)
	for _, outer := range []string{"array", "hash", "locks"} {
		got[outer] = make(map[uint32]string)
		for key := range uint32(3) {
			var id ebpf.MapID
			if err := coll.Maps[outer].Lookup(key, &id); err == nil {
				got[outer][key] = names[id]
			}
		}
	}
	want := map[string]map[uint32]string{
		"array": {0: "second", 2: "first"},
		"hash":  {1: "first"},
		"locks": {1: "third"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestMapsOfMapsRefused fails to fill maps of maps, with programs that load and
// with one that doesn't.
func TestMapsOfMapsRefused(t *testing.T) {
	needLinks(t)
	for _, tc := range []struct {
		name string
		edit func(maps map[string]*ebpf.MapSpec)
		is   error
		want []string
	}{
		{"other inner type", func(maps map[string]*ebpf.MapSpec) { maps["first"].Type = ebpf.Hash }, syscall.EINVAL, []string{`map "array": key 2: it does not fit`}},
		{"beyond", func(maps map[string]*ebpf.MapSpec) { maps["array"].Contents[1].Key = uint32(3) }, syscall.E2BIG, []string{`map "array": key 3: the key is not below max_entries`}},
		{"no such map", func(maps map[string]*ebpf.MapSpec) { maps["hash"].Contents[0].Value = "nowhere" }, nil, []string{`map "hash": key 1: no map "nowhere"`}},
		{"lock", func(maps map[string]*ebpf.MapSpec) { maps["locks"].Contents[0].Value = "first" }, syscall.EINVAL, []string{`map "locks": key 1: it does not fit`}},
	} {
		for name, breakProgram := range map[string]bool{"": false, " and program": true} {
			t.Run(tc.name+name, func(t *testing.T) {
				noLeaks(t)
				obj := openGolden(t, "outer")
				tc.edit(obj.Spec.Maps)
				if breakProgram {
					ins := &obj.Spec.Programs["init"].Instructions[0]
					*ins = asm.Mov.Reg(asm.R0, asm.R9).WithMetadata(ins.Metadata)
				}
				_, err := obj.Load(nil)
				wantError(t, err, tc.is, tc.want...)
			})
		}
	}
}
