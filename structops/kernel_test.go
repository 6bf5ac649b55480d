package structops

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
)

// The types that imaginary kernels are made of.
var (
	tInt  = &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	tU32  = &btf.Int{Name: "unsigned int", Size: 4}
	tU64  = &btf.Int{Name: "unsigned long", Size: 8}
	tChar = &btf.Int{Name: "char", Size: 1, Encoding: btf.Char}

	tState = &btf.Enum{Name: "bpf_struct_ops_state", Size: 4, Values: []btf.EnumValue{
		{Name: "BPF_STRUCT_OPS_STATE_INIT", Value: 0}, {Name: "BPF_STRUCT_OPS_STATE_INUSE", Value: 1},
	}}
	tCommon = &btf.Struct{Name: "bpf_struct_ops_common", Size: 8, Members: []btf.Member{
		{Name: "refcnt", Type: tInt}, {Name: "state", Type: tState, Offset: 32},
	}}
)

// callback is the type of a function member.
func callback(ret btf.Type, params ...btf.FuncParam) btf.Type {
	return &btf.Pointer{Target: &btf.FuncProto{Return: ret, Params: params}}
}

// layout makes a struct whose members follow each other, aligned to their size.
func layout(name string, members ...btf.Member) *btf.Struct {
	s := &btf.Struct{Name: name}
	for _, m := range members {
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			panic(err)
		}
		align := uint32(min(max(size, 1), 8))
		if a, ok := m.Type.(*btf.Array); ok {
			align = uint32(must(btf.Sizeof(a.Type)))
		}
		s.Size = (s.Size + align - 1) / align * align
		if m.Offset == 0 {
			m.Offset = btf.Bits(s.Size * 8)
		}
		s.Size += uint32(size)
		s.Members = append(s.Members, m)
	}
	s.Size = (s.Size + 7) / 8 * 8
	return s
}

// valueType wraps an ops type as the kernel does, one cache line in.
func valueType(ops *btf.Struct) *btf.Struct {
	return &btf.Struct{Name: valueTypePrefix + ops.Name, Size: 64 + (ops.Size+63)/64*64, Members: []btf.Member{
		{Name: "common", Type: tCommon}, {Name: "data", Type: ops, Offset: 64 * 8},
	}}
}

// tcpOps is the kernel's struct tcp_congestion_ops, shortened.
func tcpOps() *btf.Struct {
	sk := btf.FuncParam{Name: "sk", Type: &btf.Pointer{Target: &btf.Struct{Name: "sock", Size: 8}}}
	u32 := &btf.Typedef{Name: "u32", Type: tU32}
	return layout("tcp_congestion_ops",
		btf.Member{Name: "ssthresh", Type: callback(u32, sk)},
		btf.Member{Name: "cong_avoid", Type: callback(&btf.Void{}, sk, btf.FuncParam{Name: "ack", Type: u32}, btf.FuncParam{Name: "acked", Type: u32})},
		btf.Member{Name: "undo_cwnd", Type: callback(u32, sk)},
		btf.Member{Name: "init", Type: callback(&btf.Void{}, sk)},
		btf.Member{Name: "release", Type: callback(&btf.Void{}, sk)},
		btf.Member{Name: "name", Type: &btf.Array{Index: tU32, Type: tChar, Nelems: 16}},
		btf.Member{Name: "owner", Type: &btf.Pointer{Target: &btf.Struct{Name: "module", Size: 8}}},
		btf.Member{Name: "flags", Type: u32},
		btf.Member{Name: "list", Type: &btf.Struct{Name: "list_head", Size: 16, Members: []btf.Member{
			{Name: "next", Type: &btf.Pointer{Target: &btf.Void{}}}, {Name: "prev", Type: &btf.Pointer{Target: &btf.Void{}}, Offset: 64},
		}}},
	)
}

// imaginaryKernel makes a kernel of types; their order gives the IDs.
func imaginaryKernel(t testing.TB, types ...btf.Type) *btfx.Kernel {
	t.Helper()
	k, err := btfx.NewKernel(rawBTF(t, types...))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rawBTF(t testing.TB, types ...btf.Type) []byte {
	t.Helper()
	b, err := btf.NewBuilder(types, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Marshal(nil, &btf.MarshalOptions{Order: hostOrder()})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// golden returns the path of an object compiled from testdata.
func golden(name string) string { return filepath.Join("..", "testdata", name) }

// openGolden opens testdata/structops_NAME-el.elf.
func openGolden(t testing.TB, name string) *Object {
	t.Helper()
	obj, err := openFile(golden("structops_" + name + "-el.elf"))
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

func openFile(path string) (*Object, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Open(f)
}
