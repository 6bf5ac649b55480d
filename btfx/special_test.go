package btfx

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKptrTag(t *testing.T) {
	for member, want := range map[string]string{
		"task__kptr": "kptr", "task__kptr_untrusted": "kptr_untrusted", "cell__percpu_kptr": "percpu_kptr", "page__uptr": "uptr",
		"a__b__kptr": "kptr", "__kptr": "kptr", "task_kptr": "", "task__sz": "", "kptr": "", "": "",
	} {
		if tag, ok := kptrTag(member); ok != (want != "") || ok && tag != want {
			t.Errorf("%q: %q, %v; want %q", member, tag, ok, want)
		}
	}
}

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
