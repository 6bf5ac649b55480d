package btfx

import (
	"bytes"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// linkages returns the linkage of the functions and variables of a spec.
func linkages(t *testing.T, spec *btf.Spec) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for typ, err := range spec.All() {
		if err != nil {
			t.Fatal(err)
		}
		switch typ := typ.(type) {
		case *btf.Func:
			out[typ.Name] = typ.Linkage.String()
		case *btf.Var:
			out[typ.Name] = typ.Linkage.String()
		}
	}
	return out
}

func TestViewHidden(t *testing.T) {
	want := map[string]string{
		"_license": "global", "shown": "global", "secret": "static",
		"visible": "global", "hidden": "static", "internal": "static",
		"prog": "global", "hidden_prog": "global", // not in .text
	}
	bothOrders(t, "view_hidden", func(t *testing.T, name string) {
		plain, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(readObject(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		if got := linkages(t, plain.Types); got["hidden"] != "global" || got["secret"] != "global" {
			t.Error("upstream makes hidden functions and variables static: the view no longer needs hiddenFunctions")
		}
		got := linkages(t, readSpec(t, name).Types)
		delete(got, "bpf_get_prandom_u32")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("linkage (-want +got):\n%s", diff)
		}
	})
}

func TestViewUnnamed(t *testing.T) {
	bothOrders(t, "view_unnamed", func(t *testing.T, name string) {
		names := func(spec *ebpf.CollectionSpec) (names []string) {
			for _, fn := range []string{"ignores", "prog"} {
				var typ *btf.Func
				if err := spec.Types.TypeByName(fn, &typ); err != nil {
					t.Fatal(err)
				}
				for _, p := range typ.Type.(*btf.FuncProto).Params {
					names = append(names, p.Name)
				}
			}
			return names
		}
		plain, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(readObject(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(names(plain), "") {
			t.Error("upstream names parameters: the view no longer needs nameParameters")
		}
		if got, want := names(readSpec(t, name)), []string{"arg0", "second", "arg0"}; !slices.Equal(got, want) {
			t.Errorf("parameters %q, want %q", got, want)
		}
	})
}

// The VAR of flag has the place of the definition that lost, and a static
// variable has the name of a global one.
func TestViewStale(t *testing.T) {
	canary(t, readObject(t, "view_stale-el.elf"), "doesn't match ELF symbol offset", "hideVariable")
	spec := readSpec(t, "view_stale-el.elf")
	type variable struct {
		Section string
		Offset  uint32
		Value   []byte
		Linkage btf.VarLinkage
	}
	got := make(map[string]variable)
	for name, v := range spec.Variables {
		got[name] = variable{v.SectionName, v.Offset, v.Value, v.Type.Linkage}
	}
	want := map[string]variable{
		"flag": {".rodata", 8, []byte{1}, btf.GlobalVar},
		"pad":  {".rodata", 4, []byte{3, 0, 0, 0}, btf.GlobalVar},
		"twin": {".data", 4, []byte{2, 0, 0, 0}, btf.GlobalVar},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}

	for section, want := range map[string][]string{
		".rodata": {"flag", "pad"},
		".data":   {"twin", "twin"},
	} {
		var names []string
		for _, v := range spec.Maps[section].Value.(*btf.Datasec).Vars {
			names = append(names, v.Type.TypeName())
		}
		if !slices.Equal(names, want) {
			t.Errorf("DATASEC %q: %q, want %q", section, names, want)
		}
	}
}

// The types of externs keep their IDs, and nothing is left of their DATASECs.
func TestViewVirtualDatasecs(t *testing.T) {
	bothOrders(t, "view_externs", func(t *testing.T, name string) {
		f := readFile(t, readObject(t, name))
		spec, err := f.Spec()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, section := range []string{".ksyms", ".kconfig"} {
			for _, v := range f.Datasec(section) {
				typ, err := spec.Types.TypeByID(v.ID)
				if err != nil {
					t.Fatal(err)
				}
				if typ.TypeName() != v.Name {
					t.Errorf("type %d is %q, want %q", v.ID, typ.TypeName(), v.Name)
				}
				names = append(names, v.Name)
			}
			var ds *btf.Datasec
			if err := spec.Types.TypeByName(section, &ds); err == nil {
				t.Errorf("DATASEC %q is in the spec", section)
			}
		}
		want := []string{
			"bpf_rcu_read_lock", "bpf_rcu_read_unlock", "bpf_prog_active", "no_such_variable", "no_such_symbol",
			"CONFIG_HZ", "CONFIG_DOES_NOT_EXIST",
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("externs (-want +got):\n%s", diff)
		}
	})
}
