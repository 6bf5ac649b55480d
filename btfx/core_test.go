package btfx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// coreObject is an object file with CO-RE relocations.
type coreObject struct {
	name  string
	types *btf.Spec
	relos []*btf.CORERelocation
}

func coreObjects(tb testing.TB) []coreObject {
	tb.Helper()
	var objects []coreObject
	err := filepath.WalkDir("../../shared/corpus/objects", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".o") {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		types, infos, err := btf.LoadSpecAndExtInfosFromReader(file)
		if err != nil {
			tb.Logf("%s: %v", path, err)
			return nil
		}
		if infos == nil {
			return nil
		}
		object := coreObject{name: filepath.Base(path), types: types}
		for _, section := range slices.Sorted(maps.Keys(infos.CORERelos)) {
			for _, relo := range infos.CORERelos[section] {
				object.relos = append(object.relos, relo.Relo)
			}
		}
		objects = append(objects, object)
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		tb.Skip("no corpus of objects beside the repository")
	} else if err != nil {
		tb.Fatal(err)
	}
	return objects
}

// realKernels returns the raw BTF of the kernels that this machine has.
func realKernels(tb testing.TB) map[string][]byte {
	tb.Helper()
	kernels := make(map[string][]byte)
	for name, path := range map[string]string{
		"running":  "/sys/kernel/btf/vmlinux",
		"6.12-scx": "../../shared/kernels/6.12-scx/vmlinux.btf",
	} {
		if raw, err := os.ReadFile(path); err == nil {
			kernels[name] = raw
		} else {
			tb.Logf("kernel %q: %v", name, err)
		}
	}
	if len(kernels) == 0 {
		tb.Skip("no kernel BTF on this machine")
	}
	return kernels
}

func localID(btf.Type) (btf.TypeID, error) { return 4711, nil }

// The candidates must make no difference to what upstream computes against the
// whole kernel BTF.
func TestRelocateCorpus(t *testing.T) {
	objects := coreObjects(t)
	for name, raw := range realKernels(t) {
		full, err := btf.LoadSplitSpecFromReader(strings.NewReader(string(raw)), nil)
		if err != nil {
			t.Fatal(err)
		}
		k, err := NewKernel(raw)
		if err != nil {
			t.Fatal(err)
		}
		order := k.vmlinux.order
		count := 0
		for _, o := range objects {
			want, wantErr := btf.CORERelocate(o.relos, []*btf.Spec{full}, order, localID)
			got, gotErr := Relocate(o.relos, o.types, k, order, localID)
			if (wantErr == nil) != (gotErr == nil) {
				t.Errorf("%s, %s: got error %v, upstream %v", name, o.name, gotErr, wantErr)
				continue
			}
			for i := range got {
				count++
				if got[i].String() != want[i].String() {
					t.Errorf("%s, %s: %v: got %v, upstream %v", name, o.name, o.relos[i], &got[i], &want[i])
				}
			}
		}
		t.Logf("%s: %d relocations of %d objects", name, count, len(objects))
	}
}

// localRelocations returns the relocations of a section of core_local.c.
func localRelocations(tb testing.TB, suffix, section string) ([]*btf.CORERelocation, *btf.Spec) {
	tb.Helper()
	file, err := os.Open("../testdata/core_local-" + suffix + ".elf")
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	types, infos, err := btf.LoadSpecAndExtInfosFromReader(file)
	if err != nil {
		tb.Fatal(err)
	}
	var relos []*btf.CORERelocation
	for _, relo := range infos.CORERelos["raw_tp/"+section] {
		relos = append(relos, relo.Relo)
	}
	if len(relos) == 0 {
		tb.Fatalf("section %q has no relocations", section)
	}
	return relos, types
}

// withOneModule is the imaginary kernel with the module loaded once: which of
// two equal types a target_type_id means would be ambiguous.
func withOneModule(tb testing.TB, suffix string) *Kernel {
	tb.Helper()
	_, vmlinux, module := imaginary(tb, suffix)
	k, err := NewKernel(vmlinux, Module{"only", module})
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

var byteOrders = map[string]binary.ByteOrder{"el": binary.LittleEndian, "eb": binary.BigEndian}

func TestRelocate(t *testing.T) {
	for suffix, order := range byteOrders {
		k := withOneModule(t, suffix)
		id := func(kind Kind, name string) btf.TypeID {
			ref, err := k.Find(kind, name)
			if err != nil {
				t.Fatal(err)
			}
			return ref.ID
		}
		lshift := map[string]string{"el": "lshift_u64=0->56", "eb": "lshift_u64=0->37"}[suffix]
		for _, test := range []struct {
			section string
			want    []string
		}{
			{"fields", []string{
				"byte_off=0->8",   // pid
				"byte_off=4->16",  // policy, in an anonymous struct
				"byte_off=8->24",  // cred.gid
				"byte_off=0->8",   // mm->end
				"byte_off=27->59", // comm[3]
				"byte_sz=16->16",  // comm
				"field_exists=1->0",
				"signed=1->1",
				lshift,
				"rshift_u64=0->61",
			}},
			{"types", []string{
				"type_exists=1->1",
				"type_size=48->88",
				"type_size=4->8",
				"type_size=4->4",
				"type_exists=1->0",
				"type_matches=1->1",
				"type_matches=1->1", // members behind pointers don't matter
				"local_type_id=LOCAL->4711",
				fmt.Sprintf("target_type_id=LOCAL->%d", id(KindStruct, "task")),
				fmt.Sprintf("target_type_id=LOCAL->%d", id(KindStruct, "mm")),
				"target_type_id->0",
				"type_size->0",
			}},
			{"enums", []string{
				"enumval_exists=1->1",
				"enumval_value=1->20",
				"enumval_exists=1->0",
				"enumval_value=4294967297->4294967298",
			}},
			{"module", []string{
				"byte_off=0->0",
				fmt.Sprintf("target_type_id=LOCAL->%d", id(KindStruct, "device")),
			}},
			{"anonymous", []string{"type_matches=1->0", "type_matches=1->0"}},
		} {
			t.Run(test.section+"-"+suffix, func(t *testing.T) {
				relos, types := localRelocations(t, suffix, test.section)
				fixups, err := Relocate(relos, types, k, order, localID)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for i := range fixups {
					got = append(got, localNumber.ReplaceAllString(fixups[i].String(), "type_id=LOCAL->"))
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// localNumber matches IDs that the compiler chose.
var localNumber = regexp.MustCompile(`type_id=\d+->`)

func TestRelocateErrors(t *testing.T) {
	k, _, _ := imaginary(t, "el")

	relos, types := localRelocations(t, "el", "ambiguous")
	_, err := Relocate(relos, types, k, binary.LittleEndian, localID)
	if want := "multiple types match: ambiguous relocation"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	fields, _ := localRelocations(t, "el", "fields")
	for range 100 {
		_, again := Relocate(append(fields, relos...), types, k, binary.LittleEndian, localID)
		if again == nil || again.Error() != err.Error() {
			t.Fatalf("got %v, then %v", err, again)
		}
	}

	relos, types = localRelocations(t, "el", "types")
	if _, err := Relocate(relos, types, nil, binary.LittleEndian, localID); !errors.Is(err, ebpf.ErrNotSupported) {
		t.Errorf("without a kernel: %v", err)
	}
	if _, err := Relocate(relos, types, k, binary.BigEndian, localID); err == nil {
		t.Error("relocated an object of another byte order")
	}
}

// What concerns the object alone needs no kernel.
func TestRelocateLocal(t *testing.T) {
	relos, types := localRelocations(t, "el", "types")
	relos = slices.DeleteFunc(relos, func(relo *btf.CORERelocation) bool {
		kind, _, _ := parseRelocation(relo)
		return kind != "local_type_id"
	})
	fixups, err := Relocate(relos, types, nil, binary.LittleEndian, localID)
	if err != nil || len(fixups) != 1 {
		t.Fatalf("got %v, %v", fixups, err)
	}
	if fixups, err := Relocate(nil, types, nil, binary.LittleEndian, localID); err != nil || len(fixups) != 0 {
		t.Errorf("no relocations: got %v, %v", fixups, err)
	}
}

// TestFixupApplyTypeID writes a type ID over another one than the relocation has,
// which is what linked objects hold.
func TestFixupApplyTypeID(t *testing.T) {
	k := withOneModule(t, "el")
	relos, types := localRelocations(t, "el", "types")
	fixups, err := Relocate(relos, types, k, binary.LittleEndian, localID)
	if err != nil {
		t.Fatal(err)
	}
	for i := range fixups {
		kind, _, err := parseRelocation(relos[i])
		if err != nil {
			t.Fatal(err)
		}
		ins := asm.LoadImm(asm.R1, 12345, asm.DWord)
		err = fixups[i].Apply(&ins)
		switch isID := strings.HasSuffix(kind, "type_id"); {
		case isID && (err != nil || ins.Constant == 12345):
			t.Errorf("%v: got %v, error %v", &fixups[i], ins, err)
		case kind == "type_exists" && err == nil:
			t.Errorf("%v was not checked", &fixups[i])
		}
	}
}

func TestFixupApply(t *testing.T) {
	k := withOneModule(t, "el")
	spec, err := ebpf.LoadCollectionSpec("../testdata/core_local-el.elf")
	if err != nil {
		t.Fatal(err)
	}
	var constants []int64
	device, err := k.Find(KindStruct, "device")
	if err != nil {
		t.Fatal(err)
	}
	for _, ins := range spec.Programs["module"].Instructions {
		relo := btf.CORERelocationMetadata(&ins)
		if relo == nil {
			continue
		}
		fixups, err := Relocate([]*btf.CORERelocation{relo}, spec.Types, k, spec.ByteOrder, localID)
		if err != nil {
			t.Fatal(err)
		}
		err = fixups[0].Apply(&ins)
		if runtime.GOOS != "linux" {
			if !errors.Is(err, ebpf.ErrNotSupported) {
				t.Errorf("on %s: %v", runtime.GOOS, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		constants = append(constants, ins.Constant)

		wrong := asm.Mov.Reg(asm.R1, asm.R2)
		if err := fixups[0].Apply(&wrong); err == nil {
			t.Errorf("%v applied to %v", &fixups[0], wrong)
		}
	}
	if want := []int64{0, int64(device.ID)}; runtime.GOOS == "linux" && !slices.Equal(want, constants) {
		t.Errorf("got constants %v, want %v", constants, want)
	}
}

// Canary: upstream has no accessors for the kind and the local type of a
// relocation, so they are taken from its String.
func TestParseRelocation(t *testing.T) {
	for _, section := range []string{"fields", "types", "enums"} {
		relos, types := localRelocations(t, "el", section)
		for _, relo := range relos {
			kind, id, err := parseRelocation(relo)
			if err != nil {
				t.Fatalf("%v: adapt parseRelocation", err)
			}
			typ, err := types.TypeByID(id)
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("CORERelocation(%s, %s[", kind, typ); !strings.HasPrefix(relo.String(), want) {
				t.Errorf("local type of %v: got ID %d, %v", relo, id, typ)
			}
		}
	}
}

func TestCandidates(t *testing.T) {
	for suffix := range byteOrders {
		k, _, _ := imaginary(t, suffix)
		c, err := k.Candidates("task", "flavored", "ops", "shared", "atomic", "nowhere", "")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for typ, err := range c.Spec.All() {
			if err != nil {
				t.Fatal(err)
			}
			id, err := c.Spec.TypeID(typ)
			if err != nil {
				t.Fatal(err)
			}
			if id == 0 {
				continue // void
			}
			ref, ok := c.Ref(id)
			if !ok {
				t.Fatalf("ID %d has no Ref", id)
			}
			members := 0
			switch typ := typ.(type) {
			case *btf.Struct:
				members = len(typ.Members)
			case *btf.Func:
				t.Errorf("a function is no candidate: %v", typ)
			}
			if typ.TypeName() != "" {
				got = append(got, fmt.Sprintf("%s:%s %d", ref.Module, typ.TypeName(), members))
			}
		}
		slices.Sort(got)
		want := []string{":__ARRAY_SIZE_TYPE__ 0", ":atomic 0", ":char 0", ":cred 2", ":files 0",
			":flavored___new 2", ":flavored___old 1", ":int 0", ":mm 0", ":pid_t 0", ":task 11", ":u32 0", ":u64 0",
			":unsigned int 0", ":unsigned long long 0", "first:device 0", "first:ops 2", "second:device 0", "second:ops 2"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", suffix, diff)
		}
		if ref, ok := c.Ref(0); ok {
			t.Errorf("void is at %v", ref)
		}
		if ref, ok := c.Ref(4711); ok {
			t.Errorf("no type is at %v", ref)
		}
	}
}
