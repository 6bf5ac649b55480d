package integration

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/link"
	"github.com/google/go-cmp/cmp"
)

// TestModuleValueTypes attaches maps whose types are those of a module. The
// object has a callback that the module's type lacks, so it does not load before that is gone.
func TestModuleValueTypes(t *testing.T) {
	needTestmod(t)
	path := corpus(t, "objects/selftests-bpf/struct_ops_module.bpf.o")
	obj := openObject(t, path)
	if _, err := obj.Load(nil); err == nil || !strings.Contains(err.Error(), `map "testmod_zeroed": member "zeroed_op"`) {
		t.Fatalf("error does not tell the member that the module lacks: %v", err)
	}
	for _, tc := range []struct {
		name    string
		without string
	}{
		{name: "callback cleared"},
		{name: "map left out", without: "testmod_zeroed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			leavesNothing(t)
			obj := obj.Copy()
			if tc.without != "" {
				delete(obj.Ops, tc.without)
				delete(obj.Spec.Programs, "zeroed_op")
			} else if err := obj.Ops["testmod_zeroed"].Clear("zeroed_op"); err != nil {
				t.Fatal(err)
			}
			want := slices.Sorted(maps.Keys(obj.Ops))
			coll := mustLoad(t, obj)
			var attached []string
			for _, m := range coll.Plan.Maps {
				if m.OpsRef.Module != "bpf_testmod" {
					t.Errorf("map %q: type of module %q", m.Name, m.OpsRef.Module)
				}
				lnk, err := coll.Attach(m.Name)
				if err != nil {
					t.Fatal(err)
				}
				if err := lnk.Close(); err != nil {
					t.Error(err)
				}
				attached = append(attached, m.Name)
			}
			if diff := cmp.Diff(want, attached); diff != "" {
				t.Errorf("attached maps (-want +got):\n%s", diff)
			}
		})
	}
}

// TestModuleTargets attaches programs to a function of a module, which may be
// named, and to one of the kernel proper.
func TestModuleTargets(t *testing.T) {
	needTestmod(t)
	leavesNothing(t)
	coll := mustLoad(t, openObject(t, golden("attach_module")))
	for _, name := range []string{"alone", "with_module", "proper"} {
		lnk, err := link.AttachTracing(link.TracingOptions{Program: coll.Programs[name]})
		if err != nil {
			t.Errorf("program %q: %v", name, err)
			continue
		}
		if err := lnk.Close(); err != nil {
			t.Error(err)
		}
	}
}
