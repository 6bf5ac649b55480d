package btfx

import (
	"os"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// TestExceptionCallback proves that a program has the callback that only a tag
// names, with its subprograms, and func info of the spec's own types.
func TestExceptionCallback(t *testing.T) {
	r, err := os.Open("../testdata/structops_exception-el.elf")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := NewFile(r)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := f.Spec()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string][]string)
	for name, prog := range spec.Programs {
		for i := range prog.Instructions {
			if fn := btf.FuncMetadata(&prog.Instructions[i]); fn != nil {
				got[name] = append(got[name], fn.Name)
				if _, err := spec.Types.TypeID(fn); err != nil {
					t.Errorf("function %q is not of the spec: %v", fn.Name, err)
				}
			}
		}
	}
	want := map[string][]string{"entry": {"entry", "on_throw", "add_one"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
}
