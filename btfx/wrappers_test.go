package btfx

import (
	"os"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
)

// TestWrappers: map definitions in wrappers, and legacy ones.
func TestWrappers(t *testing.T) {
	type definition struct {
		Type                           ebpf.MapType
		KeySize, ValueSize, MaxEntries uint32
		Value                          string
	}
	for object, want := range map[string]map[string]definition{
		"maps": {
			"LEGACY": {ebpf.Array, 4, 8, 3, ""},
			"BTF":    {ebpf.Hash, 4, 16, 10, "Option_3C_u64_3E_"},
		},
		"tcp_types": {"THINGS": {ebpf.Array, 4, 128, 4, "Everything"}},
	} {
		for _, variant := range []string{"-plain.o", "-linked.o"} {
			b, err := os.ReadFile("../testdata/rust/" + object + variant)
			if err != nil {
				t.Fatal(err)
			}
			canary(t, b, "unrecognized field __0 in BTF map definition", "unwrapVariables")
			spec, err := readFile(t, b).Spec()
			if err != nil {
				t.Fatal(err)
			}
			got := make(map[string]definition)
			for name := range want {
				m := spec.Maps[name]
				got[name] = definition{m.Type, m.KeySize, m.ValueSize, m.MaxEntries, ""}
				if m.Value != nil {
					got[name] = definition{m.Type, m.KeySize, m.ValueSize, m.MaxEntries, m.Value.TypeName()}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", object+variant, diff)
			}
		}
	}
}
