package structops

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
)

// wiring is what a test says about a struct_ops map.
type wiring struct {
	Section  string
	Type     string
	Programs map[string]string // by member
}

func wiringOf(obj *Object) map[string]wiring {
	all := make(map[string]wiring)
	for name, ops := range obj.Ops {
		w := wiring{ops.Section, ops.Type.Name, make(map[string]string)}
		for i, prog := range ops.Programs {
			if prog != "" {
				w.Programs[ops.Type.Members[i].Name] = prog
			}
		}
		all[name] = w
	}
	return all
}

func TestOpen(t *testing.T) {
	reno := func(more ...string) map[string]string {
		progs := map[string]string{"ssthresh": "ssthresh", "cong_avoid": "cong_avoid", "undo_cwnd": "undo_cwnd"}
		for i := 0; i < len(more); i += 2 {
			progs[more[i]] = more[i+1]
		}
		return progs
	}
	const link, legacy = ".struct_ops.link", ".struct_ops"
	for name, want := range map[string]map[string]wiring{
		"one":        {"one": {link, "tcp_congestion_ops", reno()}},
		"legacy":     {"legacy": {legacy, "tcp_congestion_ops", reno()}},
		"static":     {"one": {link, "tcp_congestion_ops", reno()}},
		"static_var": {"local_one": {link, "tcp_congestion_ops", reno()}, "local_two": {link, "tcp_congestion_ops", reno()}},
		"flavor":     {"flavored": {link, "tcp_congestion_ops___v2", reno()}},
		"two": {
			"first":  {link, "tcp_congestion_ops", reno("init", "init_first", "release", "release_first")},
			"second": {link, "tcp_congestion_ops", reno("init", "init_second")},
		},
		"optional": {
			"normal": {link, "tcp_congestion_ops", reno()},
			"left":   {"?" + link, "tcp_congestion_ops", reno("init", "init_left")},
			"right":  {"?" + link, "tcp_congestion_ops", reno("init", "init_right")},
		},
	} {
		for _, order := range []string{"el", "eb"} {
			t.Run(name+"-"+order, func(t *testing.T) {
				obj, err := openFile(golden("structops_" + name + "-" + order + ".elf"))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, wiringOf(obj)); diff != "" {
					t.Errorf("wiring (-want +got):\n%s", diff)
				}
				for name := range obj.Ops {
					if obj.Spec.Maps[name] != nil {
						t.Errorf("map %q is in the spec too", name)
					}
				}
			})
		}
	}
}

// TestOpenSlotsAreZero proves that the addend of a relocation is no value.
func TestOpenSlotsAreZero(t *testing.T) {
	ops := openGolden(t, "static").Ops["one"]
	for i, prog := range ops.Programs {
		if prog == "" {
			continue
		}
		off := ops.Type.Members[i].Offset.Bytes()
		if slot := ops.Value[off : off+slotSize]; !bytes.Equal(slot, make([]byte, slotSize)) {
			t.Errorf("member %q: %x", ops.Type.Members[i].Name, slot)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	for name, want := range map[string]string{
		"anonymous":        `section ".struct_ops.link": map "one": the struct is anonymous`,
		"union":            `section ".struct_ops.link": map "one": type is Union:"tcp_congestion_ops"`,
		"integer":          `not a struct`,
		"integer_callback": `member "ssthresh" is Int:"unsigned long long"`,
		"nested_callback":  `callbacks in nested structs are not supported`,
		"nobtf":            `the object has no BTF, which struct_ops needs: compile with -g`,
		"string_pointer":   `member "owner" points to`,
		"subprog_target":   `function "subprog" in section ".text" is not a program`,
		"wrong_target":     `program "filter" in section`,
	} {
		t.Run(name, func(t *testing.T) {
			obj, err := openFile(golden("structops_" + name + "-el.elf"))
			if err == nil {
				t.Fatalf("no error: %v", wiringOf(obj))
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error:\n%v\nshould contain:\n%s", err, want)
			}
		})
	}
}

func TestFromSpec(t *testing.T) {
	spec, err := ebpf.LoadCollectionSpec(golden("structops_one-el.elf"))
	if err != nil {
		t.Fatal(err)
	}
	obj, err := FromSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	want := wiringOf(openGolden(t, "one"))
	if diff := cmp.Diff(want, wiringOf(obj)); diff != "" {
		t.Errorf("wiring (-want +got):\n%s", diff)
	}
	if spec.Maps["one"] == nil || spec.Programs["ssthresh"].AttachTo == "" {
		t.Error("the caller's spec was changed")
	}
}

func TestFromSpecAmbiguous(t *testing.T) {
	spec, err := ebpf.LoadCollectionSpec(golden("structops_two-el.elf"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = FromSpec(spec)
	wantError(t, err, ErrAmbiguous, `maps "first" and "second"`, "structops.Open")

	elf, err := os.ReadFile(golden("structops_two-el.elf"))
	if err != nil {
		t.Fatal(err)
	}
	obj, err := objectOf(spec, &Options{ELF: bytes.NewReader(elf)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wiringOf(openGolden(t, "two")), wiringOf(obj)); diff != "" {
		t.Errorf("wiring with Options.ELF (-want +got):\n%s", diff)
	}
}

func TestObjectCopy(t *testing.T) {
	obj := openGolden(t, "two")
	before := wiringOf(obj)
	cpy := obj.Copy()
	for _, ops := range cpy.Ops {
		clear(ops.Programs)
		clear(ops.Value)
	}
	clear(cpy.Spec.Programs)
	if diff := cmp.Diff(before, wiringOf(obj)); diff != "" {
		t.Errorf("an edit of the copy reached the original:\n%s", diff)
	}
	if len(obj.Spec.Programs) == 0 {
		t.Error("the original lost its programs")
	}
}
