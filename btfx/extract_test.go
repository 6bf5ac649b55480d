package btfx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// outline writes a type with what it refers to, each struct once.
func outline(typ btf.Type) string {
	var s strings.Builder
	seen := make(map[btf.Type]bool)
	var write func(typ btf.Type)
	members := func(kind string, typ btf.Type, size uint32, members []btf.Member) {
		fmt.Fprintf(&s, "%s %s:%d", kind, typ.TypeName(), size)
		if seen[typ] {
			return
		}
		seen[typ] = true
		s.WriteString("{")
		for _, m := range members {
			fmt.Fprintf(&s, " %s@%d:%d=", m.Name, m.Offset, m.BitfieldSize)
			write(m.Type)
		}
		s.WriteString(" }")
	}
	write = func(typ btf.Type) {
		switch t := typ.(type) {
		case *btf.Struct:
			members("struct", t, t.Size, t.Members)
		case *btf.Union:
			members("union", t, t.Size, t.Members)
		case *btf.Pointer:
			s.WriteString("*")
			write(t.Target)
		case *btf.Const:
			s.WriteString("const ")
			write(t.Type)
		case *btf.Array:
			fmt.Fprintf(&s, "[%d]", t.Nelems)
			write(t.Type)
		case *btf.Func:
			s.WriteString(t.Name)
			write(t.Type)
		case *btf.FuncProto:
			s.WriteString("(")
			for _, p := range t.Params {
				s.WriteString(p.Name + " ")
				write(p.Type)
				s.WriteString(",")
			}
			s.WriteString(")")
			write(t.Return)
		case *btf.Var:
			s.WriteString("var ")
			write(t.Type)
		case *btf.Enum:
			fmt.Fprintf(&s, "enum %s%v", t.Name, t.Values)
		default:
			s.WriteString(typ.TypeName())
		}
	}
	write(typ)
	return s.String()
}

func TestType(t *testing.T) {
	for _, test := range []struct {
		kind Kind
		name string
		want string
	}{
		{KindFunc, "wake_up", "wake_up(task *struct task:88{ },state enum state[{STATE_IDLE 10} {STATE_RUNNING 20}],)int"},
		{KindVar, "counter", "var atomic"},
		{KindUnion, "value", "union value:8{ word@0:0=u32 quad@0:0=u64 }"},
		{KindEnum64, "large", "enum large[{LARGE 4294967298}]"},
		{KindStruct, "cred", "struct cred:8{ uid@0:0=u32 gid@32:0=u32 }"},
		{KindStruct, "task", "struct task:88{ padding@0:0=u64 pid@64:0=pid_t" +
			" @96:0=struct :8{ prio@0:0=u32 policy@32:0=u32 }" +
			" cred@160:0=struct cred:8{ uid@0:0=u32 gid@32:0=u32 }" +
			" mm@256:0=*const struct mm:16{ } files@320:0=*files parent@384:0=*struct task:88" +
			" comm@448:0=[16]char nice@576:5=u32 class@581:3=u32" +
			" wake@640:0=*( *struct task:88, u32,)int }"},
		{KindStruct, "bpf_struct_ops_ops", "struct bpf_struct_ops_ops:24{ state@0:0=u32" +
			" data@64:0=struct ops:16{ probe@0:0=*( *struct device:16{ }, u32,)int flags@64:0=u32 } }"},
		{KindFunc, "probe", "probe(device *struct device:16{ },pid pid_t,)int"},
	} {
		for suffix := range byteOrders {
			k, _, _ := imaginary(t, suffix)
			ref, err := k.Find(test.kind, test.name)
			if err != nil {
				t.Fatal(err)
			}
			typ, err := k.Type(ref)
			if err != nil {
				t.Fatal(err)
			}
			got := outline(typ)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", test.name, suffix, diff)
			}
			if again, err := k.Type(ref); err != nil || again != typ {
				t.Errorf("%s, %s: asked twice: another type, %v", test.name, suffix, err)
			}
		}
	}
}

// The data member of a value type is found by comparing types.
func TestTypeIdentity(t *testing.T) {
	k, _, _ := imaginary(t, "el")
	var refs []Ref
	for _, name := range []string{"bpf_struct_ops_ops", "ops"} {
		ref, err := k.FindIn("first", KindStruct, name)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, ref)
	}
	value, err := k.Type(refs[0])
	if err != nil {
		t.Fatal(err)
	}
	ops, err := k.Type(refs[1])
	if err != nil {
		t.Fatal(err)
	}
	if member := value.(*btf.Struct).Members[1].Type; member != ops {
		t.Errorf("member is %p, ops type is %p", member, ops)
	}
}

// A struct that was cut in one type is whole when asked for itself.
func TestTypeCutFirst(t *testing.T) {
	k, _, _ := imaginary(t, "el")
	fn, _ := k.Find(KindFunc, "wake_up")
	if _, err := k.Type(fn); err != nil {
		t.Fatal(err)
	}
	ref, _ := k.Find(KindStruct, "task")
	typ, err := k.Type(ref)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(typ.(*btf.Struct).Members); n != 11 {
		t.Errorf("%d members", n)
	}
}

// The types of a module and of its base are one graph, and void is a type.
func TestTypes(t *testing.T) {
	k, _, _ := imaginary(t, "el")
	probe, _ := k.Find(KindFunc, "probe")
	pid, _ := k.Find(KindTypedef, "pid_t")
	inModule := Ref{"first", pid.ID}
	types, err := k.Types(probe, pid, inModule, Ref{})
	if err != nil {
		t.Fatal(err)
	}
	if param := types[0].(*btf.Func).Type.(*btf.FuncProto).Params[1].Type; param != types[1] || types[1] != types[2] {
		t.Errorf("pid_t is not one type: %p, %p, %p", param, types[1], types[2])
	}
	if _, ok := types[3].(*btf.Void); !ok {
		t.Errorf("void is %v", types[3])
	}
	if len(k.extractions) != 1 {
		t.Errorf("%d extractions for one call", len(k.extractions))
	}
}

// Announced functions are extracted together.
func TestTypeAnnounced(t *testing.T) {
	k, _, _ := imaginary(t, "el")
	for range 3 {
		names := []string{"wake_up", "shared", "init_task", "probe", "nowhere"}
		k.Want(names...)
		for _, name := range names[:2] {
			ref, err := k.Find(KindFunc, name)
			if err != nil {
				t.Fatal(err)
			}
			if typ, err := k.Type(ref); err != nil || typ.TypeName() != name {
				t.Fatal(typ, err)
			}
		}
	}
	if len(k.extractions) != 1 {
		t.Errorf("%d extractions", len(k.extractions))
	}
}

// rawTypes is BTF with records that consist of the given words; its strings
// are "" and "s".
func rawTypes(words ...uint32) []byte {
	order := binary.LittleEndian
	raw := []byte{0x9f, 0xeb, 1, 0}
	for _, word := range []uint32{btfHeaderSize, 0, uint32(4 * len(words)), uint32(4 * len(words)), 3} {
		raw = order.AppendUint32(raw, word)
	}
	for _, word := range words {
		raw = order.AppendUint32(raw, word)
	}
	return append(raw, "\x00s\x00"...)
}

func TestTypeCorrupt(t *testing.T) {
	for _, test := range []struct {
		name string
		raw  []byte
		id   btf.TypeID
		want string
	}{
		{"dangling reference", rawTypes(0, recPtr<<24, 7), 1, "kernel BTF: type ID 7: not found"},
		{"name out of range", rawTypes(9, recFwd<<24, 0), 1, "kernel BTF: type ID 1: BTF strings: none begins at offset 9"},
		{"name amid a string", rawTypes(2, recFwd<<24, 0), 1, "kernel BTF: type ID 1: BTF strings: none begins at offset 2"},
		{"declaration tag", rawTypes(1, recDeclTag<<24, 0, 0), 1, "kernel BTF: type ID 1: a declaration tag is no type"},
		{"reference to a declaration tag", rawTypes(0, recPtr<<24, 2, 1, recDeclTag<<24, 1, 0), 1,
			"kernel BTF: type ID 2: a declaration tag is no type"},
		{"ID of no type", rawTypes(), 1, "kernel BTF: type ID 1: not found"},
		{"largest ID", rawTypes(), 1<<32 - 1, "kernel BTF: type ID 4294967295: not found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			k, err := NewKernel(test.raw)
			if err != nil {
				t.Fatal(err)
			}
			typ, err := k.Type(Ref{ID: test.id})
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, %v\nwant %s", typ, err, test.want)
			}
		})
	}
}

// Types that go deep end in an error or a type, not in a stack overflow.
func TestTypeDeep(t *testing.T) {
	for _, depth := range []int{maxExtracted - 1, maxExtracted, 1 << 20} {
		words := make([]uint32, 0, 3*depth)
		for i := range depth {
			words = append(words, 0, recConst<<24, uint32(i+2)%uint32(depth+1))
		}
		k, err := NewKernel(rawTypes(words...))
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.Type(Ref{ID: 1})
		if (err != nil) != (depth > maxExtracted) {
			t.Errorf("depth %d: %v", depth, err)
		}
		if errors.Is(err, btf.ErrNotFound) {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
}
