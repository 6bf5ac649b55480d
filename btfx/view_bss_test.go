package btfx

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// dataMap is what a spec says about a data section.
type dataMap struct {
	Name, Datasec   string
	ValueSize, Size uint32
	Flags           uint32
	Contents        string
}

func dataMaps(spec *ebpf.CollectionSpec) map[string]dataMap {
	out := make(map[string]dataMap)
	for name, m := range spec.Maps {
		ds, ok := m.Value.(*btf.Datasec)
		if !ok {
			continue
		}
		d := dataMap{m.Name, ds.Name, m.ValueSize, ds.Size, m.Flags, "none"}
		if len(m.Contents) == 1 {
			d.Contents = fmt.Sprintf("%x", m.Contents[0].Value)
		}
		out[name] = d
	}
	return out
}

func TestViewNamedBSS(t *testing.T) {
	want := map[string]dataMap{
		".bss.mine":    {".bss.mine", ".bss.mine", 4, 4, bpfMmapable, "00000000"},
		".bss.private": {".bss.private", ".bss.private", 4, 4, 0, "00000000"},
	}
	bothOrders(t, "view_bss", func(t *testing.T, name string) {
		canary(t, readObject(t, name), `in section SHN_UNDEF`, "renameSection")
		spec := readSpec(t, name)
		if diff := cmp.Diff(want, dataMaps(spec)); diff != "" {
			t.Errorf("maps (-want +got):\n%s", diff)
		}
		if v := spec.Variables["counter"]; v == nil || v.SectionName != ".bss.mine" || len(spec.Variables) != 1 {
			t.Errorf("variables %v", spec.Variables)
		}
		uses := usesIn(spec.Programs["prog"])
		if len(uses) != 2 || uses[0].Reference != ".bss.mine" || uses[1].Reference != ".bss.private" {
			t.Errorf("uses %v", uses)
		}
	})
}

// A large section costs as much as a small one, and so do its variables.
func TestViewLargeBSS(t *testing.T) {
	const size = 8<<20 + 16
	bothOrders(t, "view_large_bss", func(t *testing.T, name string) {
		object := readObject(t, name)
		plain, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
		if err != nil {
			t.Fatal(err)
		}
		if len(plain.Maps[".bss"].Contents) == 0 {
			t.Error("upstream makes no contents for .bss: the view no longer needs shrinkSection")
		}

		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		spec := readSpec(t, name)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > maxZeroes {
			t.Errorf("%d bytes allocated", got)
		}

		want := map[string]dataMap{".bss": {".bss", ".bss", size, size, 0, "none"}}
		if diff := cmp.Diff(want, dataMaps(spec)); diff != "" {
			t.Errorf("maps (-want +got):\n%s", diff)
		}

		type variable struct{ Offset, Size uint32 }
		got := make(map[string]variable)
		for name, v := range spec.Variables {
			if v.Value != nil {
				t.Errorf("variable %q has a value", name)
			}
			got[name] = variable{v.Offset, v.Size()}
		}
		if diff := cmp.Diff(map[string]variable{"table": {0, 8 << 20}, "behind": {8 << 20, 8}}, got); diff != "" {
			t.Errorf("variables (-want +got):\n%s", diff)
		}
	})

	// The same in a named section: it is renamed and mmapable as well.
	t.Run("named", func(t *testing.T) {
		object := rewrite(t, readObject(t, "view_bss-el.elf"), func(v *view) { v.section(".bss.mine").size = size })
		spec, err := readFile(t, object).Spec()
		if err != nil {
			t.Fatal(err)
		}
		want := dataMap{".bss.mine", ".bss.mine", size, size, bpfMmapable, "none"}
		if diff := cmp.Diff(want, dataMaps(spec)[".bss.mine"]); diff != "" {
			t.Errorf("map (-want +got):\n%s", diff)
		}
		if v := spec.Variables["counter"]; v == nil || v.SectionName != ".bss.mine" || v.Size() != 4 {
			t.Errorf("variables %v", spec.Variables)
		}
	})

	t.Run("beyond 32 bits", func(t *testing.T) {
		object := rewrite(t, readObject(t, "view_bss-el.elf"), func(v *view) { v.section(".bss.mine").size = 1 << 32 })
		_, err := readFile(t, object).Spec()
		want := `section ".bss.mine": 4294967296 bytes, want no more than 4294967295`
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	})
}
