package kfunc

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
)

// imaginary returns a kernel that has the given functions and variables, and
// one module "testmod" with the given functions.
func imaginary(tb testing.TB, vmlinux []btf.Type, testmod []btf.Type) *btfx.Kernel {
	tb.Helper()

	base := marshal(tb, vmlinux)
	var modules []btfx.Module
	if len(testmod) > 0 {
		modules = append(modules, btfx.Module{Name: "testmod", BTF: split(marshal(tb, testmod), base)})
	}
	k, err := btfx.NewKernel(base, modules...)
	if err != nil {
		tb.Fatal("imaginary kernel:", err)
	}
	return k
}

func marshal(tb testing.TB, types []btf.Type) []byte {
	tb.Helper()
	b, err := btf.NewBuilder(types, nil)
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := b.Marshal(nil, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// The fields of a BTF header.
func sections(raw []byte) (types, strings []byte) {
	ne := binary.NativeEndian
	hdrLen := ne.Uint32(raw[4:])
	typeOff, typeLen := ne.Uint32(raw[8:]), ne.Uint32(raw[12:])
	strOff, strLen := ne.Uint32(raw[16:]), ne.Uint32(raw[20:])
	body := raw[hdrLen:]
	return body[typeOff:][:typeLen], body[strOff:][:strLen]
}

// records calls fn with every type record: the position of its type IDs and of
// its string offsets besides the name. It knows the kinds that tests need.
func records(types []byte, fn func(record []byte, ids, names []int)) {
	for len(types) > 0 {
		info := binary.NativeEndian.Uint32(types[4:])
		vlen, size := int(info&0xffff), 12
		ids, names := []int{8}, []int{0}
		switch btfx.Kind(info >> 24 & 0x1f) {
		case 1: // INT
			ids, size = nil, 16
		case btfx.KindStruct:
			ids, size = nil, 12+12*vlen
		case 13: // FUNC_PROTO
			size = 12 + 8*vlen
			for i := range vlen {
				names, ids = append(names, 12+8*i), append(ids, 16+8*i)
			}
		case btfx.KindVar:
			size = 16
		}
		fn(types[:size], ids, names)
		types = types[size:]
	}
}

// split turns a BTF into one that continues base, as a module has it.
func split(raw, base []byte) []byte {
	ne := binary.NativeEndian
	baseTypes, baseStrings := sections(base)
	var n uint32
	records(baseTypes, func([]byte, []int, []int) { n++ })

	raw = bytes.Clone(raw)
	types, _ := sections(raw)
	shift := func(b []byte, by uint32) {
		if v := ne.Uint32(b); v != 0 {
			ne.PutUint32(b, v+by)
		}
	}
	records(types, func(record []byte, ids, names []int) {
		for _, i := range ids {
			shift(record[i:], n)
		}
		for _, i := range names {
			shift(record[i:], uint32(len(baseStrings)))
		}
	})
	return raw
}

// Types of the imaginary kernels.
var (
	signedInt = &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	task      = &btf.Pointer{Target: &btf.Struct{Name: "task_struct"}}
)

func function(name string, ret btf.Type, params ...btf.Type) *btf.Func {
	proto := &btf.FuncProto{Return: ret}
	for i, typ := range params {
		proto.Params = append(proto.Params, btf.FuncParam{Name: string(rune('a' + i)), Type: typ})
	}
	return &btf.Func{Name: name, Type: proto, Linkage: btf.StaticFunc}
}

func variable(name string, typ btf.Type) *btf.Var {
	return &btf.Var{Name: name, Type: typ, Linkage: btf.GlobalVar}
}

// golden reads an object from testdata.
func golden(tb testing.TB, name string) []byte {
	tb.Helper()
	elf, err := os.ReadFile(filepath.Join("..", "testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return elf
}

// open returns the facts of an object and its spec through the view.
func open(tb testing.TB, name string) (*btfx.File, *ebpf.CollectionSpec) {
	tb.Helper()
	file, err := btfx.NewFile(bytes.NewReader(golden(tb, name)))
	if err != nil {
		tb.Fatal(err)
	}
	spec, err := file.Spec()
	if err != nil {
		tb.Fatal(err)
	}
	return file, spec
}

// plain returns the spec of an object as upstream reads it.
func plain(tb testing.TB, name string) *ebpf.CollectionSpec {
	tb.Helper()
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(golden(tb, name)))
	if err != nil {
		tb.Fatal(err)
	}
	return spec
}
