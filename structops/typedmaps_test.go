package structops

import (
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

func TestContentsWith(t *testing.T) {
	section := func(contents ...ebpf.MapKV) *ebpf.MapSpec {
		return &ebpf.MapSpec{Name: ".data", Type: ebpf.Array, Value: &btf.Datasec{Name: ".data", Size: 4}, Contents: contents}
	}
	bytes := func(value ...byte) ebpf.MapKV { return ebpf.MapKV{Key: uint32(0), Value: value} }
	variable := func(section string, offset uint32, value ...byte) *ebpf.VariableSpec {
		return &ebpf.VariableSpec{Name: "v", SectionName: section, Offset: offset, Value: value}
	}
	for _, tc := range []struct {
		name string
		spec *ebpf.MapSpec
		vars []*ebpf.VariableSpec
		want []ebpf.MapKV // nil for an error
	}{
		{"no variables", section(bytes(1, 2, 3, 4)), nil, []ebpf.MapKV{bytes(1, 2, 3, 4)}},
		{"two", section(bytes(1, 2, 3, 4)), []*ebpf.VariableSpec{variable(".data", 2, 8, 9), variable(".data", 0, 7)}, []ebpf.MapKV{bytes(7, 2, 8, 9)}},
		{"other section", section(bytes(1, 2, 3, 4)), []*ebpf.VariableSpec{variable(".bss", 0, 7)}, []ebpf.MapKV{bytes(1, 2, 3, 4)}},
		{"beyond", section(bytes(1, 2, 3, 4)), []*ebpf.VariableSpec{variable(".data", 3, 8, 9)}, nil},
		{"far beyond", section(bytes(1, 2, 3, 4)), []*ebpf.VariableSpec{variable(".data", 1<<32-1, 8)}, nil},
		{"overlap", section(bytes(1, 2, 3, 4)), []*ebpf.VariableSpec{variable(".data", 0, 8, 9), variable(".data", 1, 8)}, nil},
		{"large", section(), []*ebpf.VariableSpec{variable(".data", 0, 8)}, []ebpf.MapKV{}},
		{"not bytes", section(ebpf.MapKV{Key: uint32(0), Value: uint32(1)}), nil, nil},
		{"two keys", section(bytes(1), bytes(2)), nil, nil},
		{"no section", &ebpf.MapSpec{Value: &btf.Int{Size: 4}, Contents: []ebpf.MapKV{bytes(1), bytes(2)}},
			[]*ebpf.VariableSpec{variable(".data", 0, 8)}, []ebpf.MapKV{bytes(1), bytes(2)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			vars := make(map[string]*ebpf.VariableSpec)
			for i, v := range tc.vars {
				vars[string(rune('a'+i))] = v
			}
			got, err := contentsWith(vars, ".data", tc.spec)
			if (err != nil) != (tc.want == nil) {
				t.Fatalf("error %v", err)
			}
			if err == nil && len(got)+len(tc.want) > 0 {
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// TestOneBTF reads back that maps and programs share one BTF, as with libbpf. With
// upstream each map has another one.
func TestOneBTF(t *testing.T) {
	needLinks(t)
	for object, want := range map[string][]string{
		"maps":    {"by_socket", "one", "per_cpu", "total"},
		"globals": {".bss", ".data", ".rodata", "one"},
	} {
		t.Run(object, func(t *testing.T) {
			coll := mustLoad(t, openGolden(t, object), nil)
			ids := make(map[btf.ID]bool)
			for name, prog := range coll.Programs {
				info, err := prog.Info()
				if err != nil {
					t.Fatal(err)
				}
				id, ok := info.BTFID()
				if !ok {
					t.Errorf("program %q has no BTF", name)
				}
				ids[id] = true
			}
			for _, name := range want {
				info, err := coll.Maps[name].Info()
				if err != nil {
					t.Fatalf("map %q: %v", name, err)
				}
				id, ok := info.BTFID()
				if !ok {
					t.Errorf("map %q has no BTF", name)
				}
				ids[id] = true
			}
			if len(ids) != 1 {
				t.Errorf("maps and programs have %d BTFs", len(ids))
			}
		})
	}
}

// TestTypedMaps reads back what data sections hold, with a value that the caller
// has set, and that constants are frozen.
func TestTypedMaps(t *testing.T) {
	needLinks(t)
	obj := openGolden(t, "globals")
	want := make(map[string][]byte)
	for name, v := range obj.Spec.Variables {
		value := make([]byte, v.Size())
		for i := range value {
			value[i] = byte(i + 1)
		}
		if err := v.Set(value); err != nil {
			t.Fatal(err)
		}
		want[name] = value
	}
	coll := mustLoad(t, obj, nil)
	got := make(map[string][]byte)
	for name := range want {
		value := make([]byte, len(want[name]))
		if err := coll.Variables[name].Get(&value); err != nil {
			t.Errorf("variable %q: %v", name, err)
		}
		got[name] = value
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
		t.Error(len(got), diff)
	}
	info, err := coll.Maps[".rodata"].Info()
	if err != nil {
		t.Fatal(err)
	}
	if !info.Frozen() {
		t.Error(".rodata is not frozen")
	}
}

// TestFirstRefusedMap proves that of several maps the same one is reported every
// time.
func TestFirstRefusedMap(t *testing.T) {
	needLinks(t)
	obj := openGolden(t, "maps")
	for _, name := range []string{"by_socket", "per_cpu", "total"} {
		obj.Spec.Maps[name].MaxEntries = 0
	}
	for range 20 {
		_, err := obj.Load(nil)
		wantError(t, err, syscall.EINVAL, `map "by_socket": `, "MaxEntries")
	}
	_, err := openGolden(t, "pinned").Load(nil)
	wantError(t, err, nil, `map "total": pinned by name, but Options.Maps.PinPath is empty`)
}
