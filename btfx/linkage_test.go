package btfx

import (
	"bytes"
	"errors"
	"maps"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// upstreamSpec returns the spec that upstream makes of a golden object.
func upstreamSpec(tb testing.TB, name string) *ebpf.CollectionSpec {
	tb.Helper()
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(readObject(tb, name)))
	if err != nil {
		tb.Fatal(err)
	}
	return spec
}

// funcInfo returns the linkage of each function of each program.
func funcInfo(spec *ebpf.CollectionSpec) map[string]string {
	out := make(map[string]string)
	for _, prog := range spec.Programs {
		for i := range prog.Instructions {
			if fn := btf.FuncMetadata(&prog.Instructions[i]); fn != nil {
				out[prog.Name+": "+fn.Name] = fn.Linkage.String()
			}
		}
	}
	return out
}

func TestMarkStatic(t *testing.T) {
	for _, test := range []struct {
		name    string
		opts    *StaticOptions
		changed []string
	}{
		// throws is a subprogram of calls.
		{"default", nil, []string{"calls: peek", "calls: counted", "throws: counted", "calls: throws", "throws: throws"}},
		{"only", &StaticOptions{Only: []string{"counted", "already"}}, []string{"calls: counted", "throws: counted"}},
		{"entry", &StaticOptions{Only: []string{"calls"}}, []string{"calls: calls"}},
		{"except", &StaticOptions{Except: []string{"throws", "counted"}}, []string{"calls: peek"}},
		{"only and except", &StaticOptions{Only: []string{"peek", "counted"}, Except: []string{"counted"}}, []string{"calls: peek"}},
	} {
		for _, copied := range []bool{false, true} {
			bothOrders(t, "linkage_tags", func(t *testing.T, name string) {
				original := upstreamSpec(t, name)
				spec := original
				if copied {
					spec = original.Copy()
				}
				other, types := spec.Copy(), linkages(t, spec.Types)
				want := funcInfo(spec)
				for _, fn := range test.changed {
					if want[fn] != "global" {
						t.Errorf("%s is %q before", fn, want[fn])
					}
					want[fn] = "static"
				}
				for range 2 { // twice is the same as once
					if err := MarkStatic(spec, test.opts); err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want, funcInfo(spec)); diff != "" {
						t.Errorf("linkage (-want +got):\n%s", diff)
					}
				}
				unchanged := funcInfo(upstreamSpec(t, name))
				if diff := cmp.Diff(unchanged, funcInfo(other)); diff != "" {
					t.Errorf("a copy has changed (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(types, linkages(t, spec.Types)); diff != "" {
					t.Errorf("types have changed (-want +got):\n%s", diff)
				}
				if copied {
					if diff := cmp.Diff(unchanged, funcInfo(original)); diff != "" {
						t.Errorf("the original has changed (-want +got):\n%s", diff)
					}
				}
			})
		}
	}
}

func TestMarkStaticErrors(t *testing.T) {
	for _, test := range []struct {
		name, object string
		opts         *StaticOptions
		want         string
	}{
		{"unknown", "linkage_tags-el.elf", &StaticOptions{Only: []string{"b"}, Except: []string{"a"}},
			"function \"b\": no program has it with func info\nfunction \"a\": no program has it with func info"},
		{"arg tag", "linkage_tags-el.elf", &StaticOptions{Only: []string{"nonnull", "peek"}},
			`function "nonnull": has to be global: decl tag "arg:nonnull" is for global functions`},
		{"exception callback", "linkage_tags-el.elf", &StaticOptions{Only: []string{"on_throw"}},
			`function "on_throw": has to be global: it is an exception callback`},
		// Upstream took the first function for the one that is meant.
		{"address", "linkage_callback-el.elf", nil,
			`function "add_one": where its address is loaded, another function may be meant: read the object with btfx.File.Spec`},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := upstreamSpec(t, test.object)
			err := MarkStatic(spec, test.opts)
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
			if diff := cmp.Diff(funcInfo(upstreamSpec(t, test.object)), funcInfo(spec)); diff != "" {
				t.Errorf("the spec has changed (-want +got):\n%s", diff)
			}
		})
	}
}

// loadProgram loads one program of a spec, without the other programs.
func loadProgram(t *testing.T, spec *ebpf.CollectionSpec, name string) (*ebpf.Collection, error) {
	t.Helper()
	spec = spec.Copy()
	maps.DeleteFunc(spec.Programs, func(prog string, _ *ebpf.ProgramSpec) bool { return prog != name })
	coll, err := ebpf.NewCollection(spec)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, ebpf.ErrNotSupported) {
		t.Skip("loading needs Linux and privilege:", err)
	}
	if err == nil {
		t.Cleanup(coll.Close)
	}
	return coll, err
}

// A static callback runs, and it is the one that the source names.
func TestMarkStaticCallback(t *testing.T) {
	const name = "linkage_callback-el.elf"
	spec := readSpec(t, name)
	if _, err := loadProgram(t, spec, "prog"); err == nil {
		t.Error("the kernel takes a global function as a callback")
	}

	run := func(spec *ebpf.CollectionSpec) (hits uint64) {
		t.Helper()
		if err := MarkStatic(spec, &StaticOptions{FromFile: true}); err != nil {
			t.Fatal(err)
		}
		coll, err := loadProgram(t, spec, "prog")
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if _, err := coll.Programs["prog"].Run(&ebpf.RunOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := coll.Variables["hits"].Get(&hits); err != nil {
			t.Fatal(err)
		}
		return hits
	}
	if hits := run(spec); hits != 10*100 {
		t.Errorf("hits %d, want 1000", hits)
	}
	if hits := run(upstreamSpec(t, name)); hits != 10*1 {
		t.Errorf("hits %d: upstream no longer takes the first function of the section, MarkStatic no longer needs FromFile", hits)
	}
}

// The kernel takes a pointer to one of its types as argument of a static
// function only.
func TestMarkStaticPointer(t *testing.T) {
	spec := readSpec(t, "linkage_callback-el.elf")
	if _, err := loadProgram(t, spec, "pointer"); err == nil {
		t.Error("the kernel takes a global function with a kernel pointer")
	}
	if err := MarkStatic(spec, &StaticOptions{Only: []string{"peek"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := loadProgram(t, spec, "pointer"); err != nil {
		t.Errorf("%+v", err)
	}
}
