package btfx

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSpecial: special structs by name and size, kptrs by the name of their
// member.
func TestSpecial(t *testing.T) {
	for _, name := range []string{"special-plain.o", "special-linked.o"} {
		spec := rustSpec(t, name)
		for typ, want := range map[string][]string{
			"Locked": {"0 lock bpf_spin_lock", "4 count u32"},
			"Timed":  {"0 timer bpf_timer", "16 references BpfRefcount"}, // of another size
			"Held":   {"0 task__kptr *kptr task_struct"},
		} {
			if diff := cmp.Diff(want, members(t, spec, typ)); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", name, typ, diff)
			}
		}
	}
}
