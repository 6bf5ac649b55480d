package integration

import (
	"encoding/binary"
	"errors"
	"os"
	"reflect"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"github.com/ebpfx/ebpfx/structops"
)

// needArena skips tests where the kernel has no arena maps.
func needArena(t testing.TB) {
	t.Helper()
	needRoot(t)
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Arena, MaxEntries: 1, Flags: 1 << 10})
	if err != nil {
		t.Skipf("needs Linux 6.9 for arena maps: %v", err)
	}
	m.Close()
}

// runProgram runs a program once, and expects it to return 0.
func runProgram(t testing.TB, coll *ebpf.Collection, name string) {
	t.Helper()
	ret, err := coll.Programs[name].Run(&ebpf.RunOptions{})
	if err != nil || ret != 0 {
		t.Fatalf("program %q: returns %d, %v", name, int32(ret), err)
	}
}

// arenaOf loads an object and returns its arena.
func arenaOf(t testing.TB, path string) (*structops.Collection, *structops.Arena) {
	t.Helper()
	coll := mustLoad(t, openObject(t, path))
	arena, err := coll.Arena("arena")
	if err != nil {
		t.Fatal(err)
	}
	return coll, arena
}

// number reads a variable of an arena.
func number(t testing.TB, arena *structops.Arena, name string) uint64 {
	t.Helper()
	v, err := arena.Variable(name)
	if err != nil {
		t.Fatal(err)
	}
	return binary.NativeEndian.Uint64(append(v, make([]byte, 8)...))
}

// at returns the memory that a pointer which a program has stored points to.
func at(arena *structops.Arena, pointer uint64) []byte {
	return arena.Memory()[pointer-uint64(reflect.ValueOf(arena.Memory()).Pointer()):]
}

// TestArenaGlobals reads variables of an arena before and after a program has
// changed them, and follows the pointers that it has stored.
func TestArenaGlobals(t *testing.T) {
	needArena(t)
	for _, name := range []string{"arena_globals", "arena_fixed"} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t)
			coll, arena := arenaOf(t, golden(name))
			if size := 8 * os.Getpagesize(); len(arena.Memory()) != size {
				t.Errorf("arena of %d bytes, want %d", len(arena.Memory()), size)
			}
			if base := reflect.ValueOf(arena.Memory()).Pointer(); name == "arena_fixed" && base != 1<<44 {
				t.Errorf("arena at %#x, map_extra says %#x", base, 1<<44)
			}
			read := func() map[string]uint64 {
				m := make(map[string]uint64)
				for _, name := range []string{"counter", "sum", "first", "second", "table", "head"} {
					m[name] = number(t, arena, name)
				}
				return m
			}
			want := map[string]uint64{"counter": 41, "sum": 0, "first": 0, "second": 0, "table": 100 | 200<<32, "head": 0}
			if diff := cmp.Diff(want, read()); diff != "" {
				t.Errorf("before (-want +got):\n%s", diff)
			}

			runProgram(t, coll.Collection, "prog")
			first, second := address(t, arena, "first"), address(t, arena, "second")
			want = map[string]uint64{"counter": 42, "sum": 1000, "first": second, "second": 0, "table": 100 | 200<<32, "head": first}
			if diff := cmp.Diff(want, read()); diff != "" {
				t.Errorf("after (-want +got):\n%s", diff)
			}
			var values []uint64
			for p := number(t, arena, "head"); p != 0; {
				node := at(arena, p)
				values = append(values, binary.NativeEndian.Uint64(node[8:]))
				p = binary.NativeEndian.Uint64(node)
			}
			if diff := cmp.Diff([]uint64{1, 320}, values); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
			var seen uint64
			if err := coll.Variables["seen"].Get(&seen); err != nil || seen != second {
				t.Errorf("the program saw the second node at %#x, it is at %#x: %v", seen, second, err)
			}
			if _, err := arena.Variable("absent"); err == nil {
				t.Error("no error for a variable that does not exist")
			}
		})
	}
}

func address(t testing.TB, arena *structops.Arena, name string) uint64 {
	t.Helper()
	addr, err := arena.Address(name)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// TestArenaAtomics runs the programs of a kernel selftest: what they do to
// variables of the arena depends on initial values and on each relocation.
func TestArenaAtomics(t *testing.T) {
	needArena(t)
	path := corpus(t, "objects/selftests-bpf/arena_atomics.bpf.o")
	leavesNothing(t)
	coll, arena := arenaOf(t, path)
	var skip bool
	if err := coll.Variables["skip_tests"].Get(&skip); err != nil || skip {
		t.Fatalf("object without tests: %v", err)
	}
	if err := coll.Variables["pid"].Set(uint32(os.Getpid())); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		program string
		want    map[string]uint64
	}{
		{"add", map[string]uint64{"add64_value": 3, "add64_result": 1, "add32_value": 3, "add32_result": 1,
			"add_stack_value_copy": 3, "add_stack_result": 1, "add_noreturn_value": 3}},
		{"sub", map[string]uint64{"sub64_value": 1<<64 - 1, "sub64_result": 1, "sub32_value": 1<<32 - 1, "sub32_result": 1,
			"sub_stack_value_copy": 1<<64 - 1, "sub_stack_result": 1, "sub_noreturn_value": 1<<64 - 1}},
		{"and", map[string]uint64{"and64_value": 0x010 << 32, "and32_value": 0x010}},
		{"or", map[string]uint64{"or64_value": 0x111 << 32, "or32_value": 0x111}},
		{"xor", map[string]uint64{"xor64_value": 0x101 << 32, "xor32_value": 0x101}},
		{"cmpxchg", map[string]uint64{"cmpxchg64_value": 2, "cmpxchg64_result_fail": 1, "cmpxchg64_result_succeed": 1,
			"cmpxchg32_value": 2, "cmpxchg32_result_fail": 1, "cmpxchg32_result_succeed": 1}},
		{"xchg", map[string]uint64{"xchg64_value": 2, "xchg64_result": 1, "xchg32_value": 2, "xchg32_result": 1}},
	} {
		t.Run(tc.program, func(t *testing.T) {
			ret, err := coll.Programs[tc.program].Run(&ebpf.RunOptions{Context: make([]byte, 16)})
			if errors.Is(err, ebpf.ErrNotSupported) {
				t.Skip(err)
			}
			if err != nil || ret != 0 {
				t.Fatalf("returns %d, %v", ret, err)
			}
			got := make(map[string]uint64)
			for name := range tc.want {
				got[name] = number(t, arena, name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
		})
	}
}

// TestArenaList builds a list in the arena and walks through it from here.
func TestArenaList(t *testing.T) {
	needArena(t)
	path := corpus(t, "objects/selftests-bpf/arena_list.bpf.o")
	leavesNothing(t)
	coll, arena := arenaOf(t, path)
	const n, sum = 1000, 1000 * 999 / 2
	if err := coll.Variables["cnt"].Set(uint32(n)); err != nil {
		t.Fatal(err)
	}
	runProgram(t, coll.Collection, "arena_list_add")
	if got := number(t, arena, "arena_sum"); got != sum {
		t.Errorf("sum %d, want %d", got, sum)
	}
	if got := number(t, arena, "test_val"); got != n+1 {
		t.Errorf("elements and one: %d, want %d", got, n+1)
	}
	// struct elem { struct { next, pprev } node; u64 value; }
	count, total := 0, uint64(0)
	for p := number(t, arena, "global_head"); p != 0 && count <= n; count++ {
		elem := at(arena, p)
		total += binary.NativeEndian.Uint64(elem[16:])
		p = binary.NativeEndian.Uint64(elem)
	}
	if count != n || total != sum {
		t.Errorf("list of %d elements with sum %d, want %d and %d", count, total, n, sum)
	}

	runProgram(t, coll.Collection, "arena_list_del")
	var got int32
	if err := coll.Variables["list_sum"].Get(&got); err != nil || got != sum {
		t.Errorf("sum of the removed elements %d, want %d: %v", got, sum, err)
	}
}

// TestArenaHash walks through a hash table that a program has built.
func TestArenaHash(t *testing.T) {
	needArena(t)
	for _, tc := range []struct{ object, program string }{{"arena_htab", "arena_htab_llvm"}, {"arena_htab_asm", "arena_htab_asm"}} {
		t.Run(tc.object, func(t *testing.T) {
			path := corpus(t, "objects/selftests-bpf/"+tc.object+".bpf.o")
			leavesNothing(t)
			coll, arena := arenaOf(t, path)
			runProgram(t, coll.Collection, tc.program)
			var skip bool
			if err := coll.Variables["skip"].Get(&skip); err != nil || skip {
				t.Fatalf("compiled without address spaces: %v", err)
			}
			var table uint64
			if err := coll.Variables["htab_for_user"].Get(&table); err != nil || table == 0 {
				t.Fatalf("no table: %v", err)
			}
			// struct htab { struct { first } *buckets; int n_buckets; }
			buckets := binary.NativeEndian.Uint64(at(arena, table))
			n := uint64(binary.NativeEndian.Uint32(at(arena, table)[8:]))
			for key := range uint32(16) {
				// struct { int hash, key, value; struct { next, pprev } hash_node; }
				const node = 16
				value := uint32(1<<32 - 1)
				for p := binary.NativeEndian.Uint64(at(arena, buckets+uint64(key)%n*8)); p != 0; p = binary.NativeEndian.Uint64(at(arena, p)) {
					if elem := at(arena, p-node); binary.NativeEndian.Uint32(elem[4:]) == key {
						value = binary.NativeEndian.Uint32(elem[8:])
						break
					}
				}
				if value != key {
					t.Errorf("key %d has value %d", key, value)
				}
			}
		})
	}
}
