package structops

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"

	"github.com/ebpfx/ebpfx/btfx"
)

// bpfFDs lists what this process holds of the kernel's BPF objects.
func bpfFDs(t testing.TB) map[string]string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	fds := make(map[string]string)
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && (strings.Contains(target, "bpf") || strings.Contains(target, "btf")) {
			fds[e.Name()] = target
		}
	}
	return fds
}

// noLeaks fails a test that ends with more BPF FDs than it began with.
func noLeaks(t testing.TB) {
	t.Helper()
	before := bpfFDs(t)
	t.Cleanup(func() {
		if diff := cmp.Diff(before, bpfFDs(t)); diff != "" {
			t.Errorf("BPF objects left behind:\n%s", diff)
		}
	})
}

// goldenObjects lists all objects of testdata for this machine's byte order.
func goldenObjects(t testing.TB) []string {
	t.Helper()
	order := "el"
	if hostOrder().String() == "BigEndian" {
		order = "eb"
	}
	paths, err := filepath.Glob(golden("*-" + order + ".elf"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden objects: %v", err)
	}
	return paths
}

// TestLoadLeavesNothing loads every golden object, whether the kernel likes it
// or not.
func TestLoadLeavesNothing(t *testing.T) {
	needKernel(t)
	warmUp(t)
	for _, path := range goldenObjects(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			noLeaks(t)
			obj, err := openFile(path)
			if err != nil {
				return
			}
			if coll, err := obj.Load(nil); err == nil {
				coll.Close()
			}
		})
	}
}

// warmUp has upstream's probes done, some of which it keeps.
func warmUp(t testing.TB) {
	t.Helper()
	if coll, err := openGolden(t, "globals").Load(nil); err == nil {
		coll.Close()
	}
}

// TestCorruptObjects loads damaged objects: an error or a valid result, and
// nothing left in the kernel. They are never attached.
func TestCorruptObjects(t *testing.T) {
	needKernel(t)
	warmUp(t)
	rounds := 200
	if n, err := strconv.Atoi(os.Getenv("EBPFX_CORRUPT")); err == nil {
		rounds = n
	} else if testing.Short() || os.Getenv("EBPFX_VM") != "" {
		rounds = 5 // emulated machines are slow
	}
	k, err := btfx.LoadKernel()
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range goldenObjects(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			noLeaks(t)
			elf, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			for range rounds {
				obj, err := Open(bytes.NewReader(damage(rnd, elf)))
				if err != nil {
					continue
				}
				if coll, err := obj.Load(&Options{Kernel: k}); err == nil {
					coll.Close()
				}
			}
		})
	}
}

// damage returns a copy of an object that is cut short or has bits flipped.
func damage(rnd *rand.Rand, elf []byte) []byte {
	if rnd.IntN(4) == 0 {
		return elf[:rnd.IntN(len(elf))]
	}
	cpy := bytes.Clone(elf)
	for range 1 + rnd.IntN(8) {
		cpy[rnd.IntN(len(cpy))] ^= 1 << rnd.IntN(8)
	}
	return cpy
}

// FuzzOpen opens arbitrary files: an error, or an object whose slots name
// programs of struct_ops type, the same each time.
func FuzzOpen(f *testing.F) {
	paths, _ := filepath.Glob(golden("structops_*.elf"))
	for _, path := range paths {
		if elf, err := os.ReadFile(path); err == nil {
			f.Add(elf)
		}
	}
	f.Fuzz(func(t *testing.T, elf []byte) {
		obj, err := Open(bytes.NewReader(elf))
		if (obj == nil) == (err == nil) {
			t.Fatalf("object %v, error %v", obj, err)
		}
		if err != nil {
			return
		}
		for name, ops := range obj.Ops {
			if len(ops.Value) != int(ops.Type.Size) || len(ops.Programs) != len(ops.Type.Members) {
				t.Fatalf("map %q: %d bytes and %d slots for %v", name, len(ops.Value), len(ops.Programs), ops.Type)
			}
			for _, prog := range ops.Programs {
				if p := obj.Spec.Programs[prog]; prog != "" && (p == nil || p.Type != ebpf.StructOps) {
					t.Fatalf("map %q: program %q is %v", name, prog, p)
				}
			}
		}
		again, err := Open(bytes.NewReader(elf))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wiringOf(obj), wiringOf(again)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzValue lays arbitrary local values of arbitrary objects out for a kernel
// whose members are at arbitrary places: no write outside the data member.
func FuzzValue(f *testing.F) {
	names := []string{"one", "two", "nested", "newer_member", "size", "bitfield", "kind"}
	for i := range names {
		f.Add(uint8(i), uint32(64), uint32(192), uint32(40*8), []byte("value"))
	}
	f.Fuzz(func(t *testing.T, which uint8, dataOff, valueSize, nameOff uint32, value []byte) {
		ops := tcpOps()
		ops.Members[5].Offset = btf.Bits(nameOff)
		wrapped := valueType(ops)
		wrapped.Size = valueSize % 4096
		wrapped.Members[1].Offset = btf.Bits(dataOff % 4096 * 8)
		k, err := btfx.NewKernel(rawBTF(t, ops, wrapped))
		if err != nil {
			return
		}
		obj := openGolden(t, names[int(which)%len(names)])
		for _, name := range slices.Sorted(maps.Keys(obj.Ops)) {
			copy(obj.Ops[name].Value, value)
			obj.Ops[name].clearSlots()
		}
		plan, err := obj.Resolve(k)
		if (plan == nil) == (err == nil) {
			t.Fatalf("plan %v, error %v", plan, err)
		}
		if err != nil {
			return
		}
		for _, m := range plan.Maps {
			if len(m.Value) != int(m.ValueSize) {
				t.Fatalf("map %q: %d bytes, value type has %d", m.Name, len(m.Value), m.ValueSize)
			}
			for i, b := range m.Value {
				if inside := uint32(i) >= m.DataOffset && uint32(i) < m.DataOffset+ops.Size; b != 0 && !inside {
					t.Fatalf("map %q: byte %d is outside the data member", m.Name, i)
				}
			}
			for _, s := range m.Slots {
				if s.Offset < m.DataOffset || s.Offset+slotSize > m.DataOffset+ops.Size {
					t.Fatalf("map %q: slot %+v is outside the data member", m.Name, s)
				}
			}
		}
	})
}
