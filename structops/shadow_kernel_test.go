package structops

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"

	"github.com/ebpfx/ebpfx/btfx"
)

// schedExtKernel is where the kernel with sched_ext, HID-BPF and bpf_testmod is.
var schedExtKernel = filepath.Join("..", "..", "shared", "kernels", "6.12-scx")

// kernelFiles reads a kernel's BTF from files: vmlinux and the module bpf_testmod.
func kernelFiles(t testing.TB) *btfx.Kernel {
	t.Helper()
	read := func(name string) []byte {
		f, err := os.Open(filepath.Join(schedExtKernel, name))
		if err != nil {
			t.Skipf("needs the BTF of a kernel: %v", err)
		}
		defer f.Close()
		raw, err := btfx.RawBTF(f)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	k, err := btfx.NewKernel(read("vmlinux.btf"), btfx.Module{Name: "bpf_testmod", BTF: read("bpf_testmod.ko")})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// opsOfKernel makes an object whose only map has the kernel's own ops type,
// with a program for the callbacks.
func opsOfKernel(t testing.TB, k *btfx.Kernel, name string, order binary.ByteOrder) *Ops {
	t.Helper()
	kern, err := findOpsType(name, k)
	if err != nil {
		t.Fatal(err)
	}
	typ := kern.ops
	obj := &Object{
		Spec: &ebpf.CollectionSpec{ByteOrder: order, Programs: map[string]*ebpf.ProgramSpec{
			"prog": {Name: "prog", Type: ebpf.StructOps, Instructions: asm.Instructions{asm.Return()}},
		}},
		Ops: map[string]*Ops{name: {
			Name: name, Section: sectionLink, Type: typ,
			Value: make([]byte, typ.Size), Programs: make([]string, len(typ.Members)),
		}},
	}
	return obj.adopt().Ops[name]
}

// leaf is a path to a value that has no parts.
type leaf struct {
	path string
	typ  btf.Type
}

// leaves lists all paths inside a field, and the paths of what has parts too.
func leaves(f field, path string) (all []leaf, err error) {
	if path != "" {
		all = append(all, leaf{path, f.typ})
	}
	if arr, ok := btf.As[*btf.Array](f.typ); ok {
		for i := range arr.Nelems {
			elem, err := f.element(arr, i)
			if err != nil {
				return nil, err
			}
			more, err := leaves(elem, fmt.Sprintf("%s[%d]", path, i))
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
	}
	for _, m := range f.members() {
		inner, err := f.member(m)
		if err != nil {
			return nil, err
		}
		name := m.Name
		switch {
		case name == "":
			name = path // looked through
		case path != "":
			name = path + "." + name
		}
		more, err := leaves(inner, name)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// TestShadowOfKernels takes every member of the kernel's own ops types, and
// every part of one, through Set and Get with random values, in both byte orders.
func TestShadowOfKernels(t *testing.T) {
	k := kernelFiles(t)
	for _, name := range []string{
		"sched_ext_ops", "tcp_congestion_ops", "hid_bpf_ops", "bpf_dummy_ops",
		"bpf_testmod_ops", "bpf_testmod_ops2", "bpf_testmod_st_ops",
	} {
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			t.Run(name+"-"+order.String(), func(t *testing.T) {
				roundTrip(t, opsOfKernel(t, k, name, order))
			})
		}
	}
}

func roundTrip(t *testing.T, ops *Ops) {
	random := rand.New(rand.NewPCG(1, 2))
	paths, err := leaves(ops.codec().whole(ops.Type), "")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	// Parts first: with its elements a char array loses the terminating zero.
	for _, l := range slices.Backward(paths) {
		if i := ops.index(l.path); i >= 0 && isCallback(l.typ) {
			roundTripProgram(t, ops, l.path)
			tried++
			continue
		}
		for range 8 {
			roundTripValue(t, ops, l, random)
		}
		tried++
	}
	all, err := ops.Get("")
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(ops.Value)
	clear(ops.Value)
	if err := ops.Set("", all); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, ops.Value); diff != "" {
		t.Errorf("the whole value (-want +got):\n%s", diff)
	}
	t.Logf("%d paths in %d members of %d bytes", tried, len(ops.Type.Members), ops.Type.Size)
}

func roundTripProgram(t *testing.T, ops *Ops, member string) {
	t.Helper()
	if err := ops.SetProgram(member, "prog"); err != nil {
		t.Fatal(err)
	}
	if got, err := ops.Program(member); got != "prog" || err != nil {
		t.Errorf("member %q: got %q, %v", member, got, err)
	}
	if err := ops.Clear(member); err != nil {
		t.Fatal(err)
	}
}

// roundTripValue sets a random value, reads it back, and looks that no other
// byte has changed.
func roundTripValue(t *testing.T, ops *Ops, l leaf, random *rand.Rand) {
	t.Helper()
	f, err := ops.field(l.path)
	if err != nil {
		t.Fatal(err)
	}
	want := randomValue(f, random)
	before := bytes.Clone(ops.Value)
	if err := ops.Set(l.path, want); err != nil {
		t.Fatalf("%s: %v", l.path, err)
	}
	got, err := ops.Get(l.path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", l.path, diff)
	}
	for bit := range uint64(len(before)) * 8 {
		at, mask, _ := ops.codec().bit(0, 1, bit)
		if (bit < f.offset || bit >= f.end) && (before[at]^ops.Value[at])&mask != 0 {
			t.Fatalf("%s: bit %d outside of %d to %d has changed", l.path, bit, f.offset, f.end)
		}
	}
}

// randomValue returns a value that Get could have returned.
func randomValue(f field, random *rand.Rand) any {
	c := codec{order: binary.LittleEndian, buf: make([]byte, (f.end+7)/8)}
	fillRandom(c, f, random)
	return must(c.decode(f))
}

func fillRandom(c codec, f field, random *rand.Rand) {
	switch t := btf.UnderlyingType(f.typ).(type) {
	case *btf.Array:
		if isChar(t.Type) {
			text := c.bytes(f)
			for i := range random.IntN(max(len(text), 1)) {
				text[i] = byte('a' + random.IntN(26))
			}
			return
		}
		for i := range t.Nelems {
			fillRandom(c, must(f.element(t, i)), random)
		}
	case *btf.Struct:
		for _, m := range t.Members {
			fillRandom(c, must(f.member(m)), random)
		}
	case *btf.Union:
		if len(t.Members) > 0 {
			fillRandom(c, must(f.member(t.Members[random.IntN(len(t.Members))])), random)
		}
	case *btf.Pointer:
		// only NULL
	case *btf.Int:
		n := random.Uint64()
		if t.Encoding == btf.Bool {
			n &= 1
		}
		c.putUint(f, f.width(), n)
	default:
		c.putUint(f, f.width(), random.Uint64())
	}
}
