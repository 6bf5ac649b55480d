package btfx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// rawBTFOf returns the BTF of a file.
func rawBTFOf(tb testing.TB, path string) []byte {
	tb.Helper()
	file, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	raw, err := RawBTF(file)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// splitBTF turns BTF that stands alone into BTF that is split from base. Types
// of equal name, other than functions and variables, are base's.
func splitBTF(tb testing.TB, base, own []byte) []byte {
	tb.Helper()
	parse := func(raw []byte) (*kernelBTF, func(id uint32) (record []byte, kind Kind, name string)) {
		b, err := newKernelBTF("", raw, nil)
		if err == nil {
			err = b.scan(nil)
		}
		if err != nil {
			tb.Fatal(err)
		}
		return b, func(id uint32) ([]byte, Kind, string) {
			record, err := b.record(id)
			if err != nil {
				tb.Fatal(err)
			}
			name, err := b.name(b.u32(record))
			if err != nil {
				tb.Fatal(err)
			}
			return record, recordKind(b.u32(record[4:])), string(name)
		}
	}
	kernel, kernelType := parse(base)
	module, moduleType := parse(own)

	shared := make(map[string]uint32)
	for id := uint32(1); id <= kernel.count; id++ {
		if _, kind, name := kernelType(id); name != "" && kind != KindFunc && kind != KindVar {
			shared[name] = id
		}
	}
	ids := map[uint32]uint32{0: 0}
	var kept []uint32
	for id := uint32(1); id <= module.count; id++ {
		if _, kind, name := moduleType(id); shared[name] != 0 && kind != KindFunc && kind != KindVar {
			ids[id] = shared[name]
		} else {
			kept = append(kept, id)
			ids[id] = kernel.count + uint32(len(kept))
		}
	}

	var types []byte
	for _, id := range kept {
		record, _, _ := moduleType(id)
		moved := bytes.Clone(record)
		module.words(record, func(at int) {
			if offset := module.u32(record[at:]); offset != 0 {
				module.order.PutUint32(moved[at:], offset+uint32(len(kernel.strings)))
			}
		}, func(at int) {
			module.order.PutUint32(moved[at:], ids[module.u32(record[at:])])
		})
		types = append(types, moved...)
	}
	raw := bytes.Clone(own[:btfHeaderSize])
	module.order.PutUint32(raw[4:], btfHeaderSize)
	module.order.PutUint32(raw[8:], 0)
	module.order.PutUint32(raw[12:], uint32(len(types)))
	module.order.PutUint32(raw[16:], uint32(len(types)))
	return append(append(raw, types...), module.strings...)
}

// imaginary is a kernel with two modules that are the same but for their name.
func imaginary(tb testing.TB, suffix string) (k *Kernel, vmlinux, module []byte) {
	tb.Helper()
	vmlinux = rawBTFOf(tb, "../testdata/core_kernel-"+suffix+".elf")
	module = splitBTF(tb, vmlinux, rawBTFOf(tb, "../testdata/core_module-"+suffix+".elf"))
	k, err := NewKernel(vmlinux, Module{"second", module}, Module{"first", module})
	if err != nil {
		tb.Fatal(err)
	}
	return k, vmlinux, module
}

func TestFind(t *testing.T) {
	const missing = "not found"
	for _, test := range []struct {
		name   string
		in     string // "*" for anywhere
		kind   Kind
		typ    string
		module string // or missing
	}{
		{"vmlinux", "*", KindStruct, "task", ""},
		{"vmlinux before modules", "*", KindFunc, "shared", ""},
		{"first of the modules", "*", KindFunc, "probe", "second"},
		{"type of a module", "*", KindStruct, "ops", "second"},
		{"union", "*", KindUnion, "value", ""},
		{"enum", "*", KindEnum, "state", ""},
		{"enum64", "*", KindEnum64, "large", ""},
		{"typedef", "*", KindTypedef, "atomic", ""},
		{"variable", "*", KindVar, "init_task", ""},
		{"name that begins like a flavor", "*", KindFunc, "___tail", ""},
		{"flavor", "*", KindFunc, "wake_up___two", ""},
		{"name that has a flavor", "*", KindFunc, "wake_up", ""},
		{"flavors only", "*", KindStruct, "flavored", missing},
		{"second flavor", "*", KindStruct, "flavored___new", ""},
		{"other kind", "*", KindFunc, "task", missing},
		{"part of a name", "*", KindStruct, "tas", missing},
		{"empty name", "*", KindStruct, "", missing},
		{"in vmlinux only", "", KindFunc, "probe", missing},
		{"in vmlinux", "", KindFunc, "shared", ""},
		{"in a module", "first", KindStruct, "ops", "first"},
		{"in a module's base", "first", KindStruct, "task", "first"},
		{"in no module", "third", KindStruct, "task", missing},
		{"not in a module", "first", KindStruct, "opt", missing},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, suffix := range []string{"el", "eb"} {
				k, vmlinux, module := imaginary(t, suffix)
				find := func() (Ref, error) {
					if test.in == "*" {
						return k.Find(test.kind, test.typ)
					}
					return k.FindIn(test.in, test.kind, test.typ)
				}
				ref, err := find()
				if test.module == missing {
					if !errors.Is(err, btf.ErrNotFound) {
						t.Fatalf("%s: got %v, %v", suffix, ref, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if ref.Module != test.module {
					t.Errorf("%s: found in module %q, want %q", suffix, ref.Module, test.module)
				}
				if again, err := find(); err != nil || again != ref {
					t.Errorf("%s: then %v, %v", suffix, again, err)
				}
				typ := upstreamType(t, vmlinux, module, ref)
				if got := fmt.Sprintf("%T %s", typ, typ.TypeName()); !strings.HasSuffix(got, " "+test.typ) {
					t.Errorf("%s: upstream has %s at %v", suffix, got, ref)
				}
			}
		})
	}
}

// upstreamType is what upstream's reader makes of a type.
func upstreamType(tb testing.TB, vmlinux, module []byte, ref Ref) btf.Type {
	tb.Helper()
	spec, err := btf.LoadSplitSpecFromReader(bytes.NewReader(vmlinux), nil)
	if err == nil && ref.Module != "" {
		spec, err = btf.LoadSplitSpecFromReader(bytes.NewReader(module), spec)
	}
	if err != nil {
		tb.Fatal(err)
	}
	typ, err := spec.TypeByID(ref.ID)
	if err != nil {
		tb.Fatal(err)
	}
	return typ
}

// Canary: if upstream finds a name that begins with three underscores, or tells
// flavors apart, the rule for essential names in EssentialName and in
// kernelBTF.findNames may be upstream's.
func TestFindUpstream(t *testing.T) {
	_, vmlinux, _ := imaginary(t, "el")
	spec, err := btf.LoadSplitSpecFromReader(bytes.NewReader(vmlinux), nil)
	if err != nil {
		t.Fatal(err)
	}
	if types, err := spec.AnyTypesByName("___tail"); err == nil {
		t.Errorf("upstream finds %v; see the comment of this test", types)
	}
}

func TestRawBTF(t *testing.T) {
	_, vmlinux, _ := imaginary(t, "el")
	if raw, err := RawBTF(bytes.NewReader(vmlinux)); err != nil || !bytes.Equal(raw, vmlinux) {
		t.Errorf("raw BTF: %d bytes, want %d, %v", len(raw), len(vmlinux), err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := RawBTF(file); err == nil || runtime.GOOS == "linux" && !errors.Is(err, btf.ErrNotFound) {
		t.Errorf("ELF file without BTF: %v", err)
	}
}

// The order of calls must not matter: names announced, not announced, after a
// module was scanned for others.
func TestFindOrder(t *testing.T) {
	names := []string{"task", "ops", "cred", "device", "nowhere", "mm"}
	want := make(map[string]string)
	k, _, _ := imaginary(t, "el")
	for _, name := range names {
		ref, err := k.Find(KindStruct, name)
		want[name] = fmt.Sprint(ref, err)
	}
	for n := range names {
		k, _, _ := imaginary(t, "el")
		k.Want(names[n:]...)
		got := make(map[string]string)
		for i := range names {
			name := names[(i+n)%len(names)]
			ref, err := k.Find(KindStruct, name)
			got[name] = fmt.Sprint(ref, err)
			k.Want(names[:i]...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("announced from %d on (-want +got):\n%s", n, diff)
		}
	}
}

func TestFindErrors(t *testing.T) {
	k, _, _ := imaginary(t, "el")
	_, err := k.Find(KindFunc, "bpf_nope")
	if want := `FUNC "bpf_nope": not found in kernel BTF`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = k.FindIn("first", KindFunc, "bpf_nope")
	if want := `module "first": FUNC "bpf_nope": not found in its BTF`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err = k.ModuleID("first"); !errors.Is(err, ebpf.ErrNotSupported) {
		t.Errorf("ID of a module that isn't running: %v", err)
	}
	_, err = k.Type(Ref{"first", 4711})
	if want := `kernel BTF: type ID 4711: not found`; !errors.Is(err, btf.ErrNotFound) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err = k.Type(Ref{"third", 1}); !errors.Is(err, btf.ErrNotFound) {
		t.Errorf("type in no module: %v", err)
	}
}

// Everything that upstream's reader finds by name in the BTF of a real kernel
// is found, and where it is.
func TestFindReal(t *testing.T) {
	kinds := map[string]Kind{"*btf.Struct": KindStruct, "*btf.Func": KindFunc, "*btf.Typedef": KindTypedef, "*btf.Var": KindVar}
	for kernel, raw := range realKernels(t) {
		spec, err := btf.LoadSplitSpecFromReader(bytes.NewReader(raw), nil)
		if err != nil {
			t.Fatal(err)
		}
		k, err := NewKernel(raw)
		if err != nil {
			t.Fatal(err)
		}
		type key struct {
			kind Kind
			name string
		}
		want := make(map[key]btf.TypeID)
		for typ, err := range spec.All() {
			if err != nil {
				t.Fatal(err)
			}
			kind := kinds[fmt.Sprintf("%T", typ)]
			if _, ok := want[key{kind, typ.TypeName()}]; ok || kind == 0 || typ.TypeName() == "" {
				continue
			}
			id, err := spec.TypeID(typ)
			if err != nil {
				t.Fatal(err)
			}
			want[key{kind, typ.TypeName()}] = id
			k.Want(typ.TypeName())
		}
		for key, id := range want {
			if ref, err := k.Find(key.kind, key.name); err != nil || ref != (Ref{ID: id}) {
				t.Fatalf("%s: %v %q: got %v, %v, want ID %d", kernel, key.kind, key.name, ref, err, id)
			}
		}
		t.Logf("%s: %d names", kernel, len(want))
	}
}

func TestFindModule(t *testing.T) {
	const dir = "../../shared/kernels/6.12-scx/"
	vmlinux, err := os.ReadFile(dir + "vmlinux.btf")
	if err != nil {
		t.Skip("no kernel with modules beside the repository: ", err)
	}
	module := rawBTFOf(t, dir+"bpf_testmod.ko")
	k, err := NewKernel(vmlinux, Module{"tcp_bbr", rawBTFOf(t, dir+"tcp_bbr.ko")}, Module{"bpf_testmod", module})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bpf_struct_ops_bpf_testmod_ops", "bpf_testmod_ops", "bpf_testmod_ops2"} {
		ref, err := k.Find(KindStruct, name)
		if err != nil {
			t.Fatal(err)
		}
		if in, err := k.FindIn("bpf_testmod", KindStruct, name); err != nil || in != ref {
			t.Errorf("%s: found %v, in its module %v, %v", name, ref, in, err)
		}
		typ, err := k.Type(ref)
		if err != nil {
			t.Fatal(err)
		}
		sameStruct(t, name, upstreamType(t, vmlinux, module, ref), typ)
	}
}

// sameStruct compares a struct from the whole BTF with an extracted one.
func sameStruct(t *testing.T, path string, want, got btf.Type) {
	t.Helper()
	want, got = btf.UnderlyingType(want), btf.UnderlyingType(got)
	if err := btf.CheckTypeCompatibility(want, got); err != nil {
		t.Errorf("%s: %v", path, err)
	}
	if err := btf.CheckTypeCompatibility(got, want); err != nil {
		t.Errorf("%s: %v", path, err)
	}
	wantSize, _ := btf.Sizeof(want)
	gotSize, _ := btf.Sizeof(got)
	if want.TypeName() != got.TypeName() || wantSize != gotSize {
		t.Errorf("%s: got %v of %d bytes, want %v of %d", path, got, gotSize, want, wantSize)
	}
	var wants, gots []btf.Member
	switch w := want.(type) {
	case *btf.Struct:
		wants, gots = w.Members, got.(*btf.Struct).Members
	case *btf.Union:
		wants, gots = w.Members, got.(*btf.Union).Members
	case *btf.Array:
		sameStruct(t, path+"[]", w.Type, got.(*btf.Array).Type)
	case *btf.Enum:
		if diff := cmp.Diff(w, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	if len(wants) != len(gots) {
		t.Fatalf("%s: %d members, want %d", path, len(gots), len(wants))
	}
	for i, w := range wants {
		if g := gots[i]; w.Name != g.Name || w.Offset != g.Offset || w.BitfieldSize != g.BitfieldSize {
			t.Errorf("%s: member %d is %v, want %v", path, i, g, w)
		}
		sameStruct(t, path+"."+w.Name, w.Type, gots[i].Type)
	}
}

func TestKernelConcurrent(t *testing.T) {
	k, _, _ := imaginary(t, "el")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			names := []string{"task", "ops", "cred", "device", "bpf_struct_ops_ops", "mm"}
			for j := range names {
				name := names[(i+j)%len(names)]
				k.Want(name)
				ref, err := k.Find(KindStruct, name)
				if err != nil {
					t.Error(err)
					continue
				}
				if typ, err := k.Type(ref); err != nil || typ.TypeName() != name {
					t.Errorf("%s: %v, %v", name, typ, err)
				}
				if _, err := k.Candidates(name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestLoadKernel(t *testing.T) {
	k, err := LoadKernel()
	if errors.Is(err, ebpf.ErrNotSupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	if k.vmlinux != nil {
		t.Error("BTF was read before it was needed")
	}
	ref, err := k.Find(KindStruct, "task_struct")
	if errors.Is(err, ebpf.ErrNotSupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	if k.listed {
		t.Error("modules were listed for a type of vmlinux")
	}
	typ, err := k.Type(ref)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	want, err := spec.TypeByID(ref.ID)
	if err != nil {
		t.Fatal(err)
	}
	sameStruct(t, "task_struct", want, typ)

	if _, err := k.Find(KindFunc, "bpf_no_such_kfunc"); !errors.Is(err, btf.ErrNotFound) {
		t.Error(err)
	}
	if _, err := k.ModuleID("no_such_module"); err == nil {
		t.Error("ID of a module that doesn't exist")
	}
	for _, m := range k.modules {
		id, err := k.ModuleID(m.module)
		if err != nil {
			t.Fatal(err)
		}
		handle, err := btf.NewHandleFromID(id)
		if err != nil {
			t.Fatal(err)
		}
		info, err := handle.Info()
		handle.Close()
		if err != nil || info.Name != m.module {
			t.Errorf("BTF ID %d: %v, %v, want %s", id, info, err, m.module)
		}
	}
}

func TestNewKernelErrors(t *testing.T) {
	_, vmlinux, module := imaginary(t, "el")
	_, _, other := imaginary(t, "eb")
	change := func(offset int, value byte) []byte {
		raw := bytes.Clone(vmlinux)
		raw[offset] = value
		return raw
	}
	strings := int(binary.LittleEndian.Uint32(vmlinux[4:]) + binary.LittleEndian.Uint32(vmlinux[16:]))
	for _, test := range []struct {
		name    string
		vmlinux []byte
		modules []Module
		want    string
	}{
		{"empty", nil, nil, "vmlinux: BTF header: needs 24 bytes, has 0"},
		{"magic", change(0, 0), nil, "vmlinux: BTF header: wrong magic"},
		{"version", change(2, 2), nil, "vmlinux: BTF header: version 2, known is 1"},
		{"header length", change(7, 0xff), nil, "vmlinux: BTF header: length 4278190104 out of range"},
		{"type length", change(15, 0xff), nil, "vmlinux: BTF types: offset 0 and length "},
		{"string offset", change(19, 0xff), nil, "vmlinux: BTF strings: offset "},
		{"first string", change(strings, 'a'), nil, "vmlinux: BTF strings: first string not empty"},
		{"last string", change(len(vmlinux)-1, 'a'), nil, "vmlinux: BTF strings: not terminated"},
		{"kind", change(btfHeaderSize+7, 31), nil, "vmlinux: BTF types: type ID 1: unknown kind 31"},
		{"vlen", change(btfHeaderSize+recordLen+5, 0xff), nil, "vmlinux: BTF types: type ID 2: truncated"},
		{"module", vmlinux, []Module{{"m", module[:20]}}, `module "m": BTF header: needs 24 bytes, has 20`},
		{"module order", vmlinux, []Module{{"m", other}}, `module "m": BTF byte order: BigEndian, vmlinux has LittleEndian`},
		{"module name", vmlinux, []Module{{"m", module}, {"m", module}}, `module "m": name is empty or taken`},
		{"module without name", vmlinux, []Module{{"", module}}, `module "": name is empty or taken`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewKernel(test.vmlinux, test.modules...)
			if err == nil || len(err.Error()) < len(test.want) || err.Error()[:len(test.want)] != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}
