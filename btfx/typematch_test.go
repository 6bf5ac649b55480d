package btfx

import (
	"testing"

	"github.com/cilium/ebpf/btf"
)

func TestTypesMatch(t *testing.T) {
	u32, s32 := &btf.Int{Name: "u32", Size: 4}, &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	member := func(name string, typ btf.Type) btf.Member { return btf.Member{Name: name, Type: typ} }
	strct := func(name string, members ...btf.Member) btf.Type { return &btf.Struct{Name: name, Members: members} }
	union := func(name string, members ...btf.Member) btf.Type { return &btf.Union{Name: name, Members: members} }
	enum := func(size uint32, names ...string) btf.Type {
		e := &btf.Enum{Name: "e", Size: size}
		for i, name := range names {
			e.Values = append(e.Values, btf.EnumValue{Name: name, Value: uint64(i)})
		}
		return e
	}
	fwd := func(kind btf.FwdKind) btf.Type { return &btf.Fwd{Name: "s", Kind: kind} }
	ptr := func(typ btf.Type) btf.Type { return &btf.Pointer{Target: typ} }
	array := func(typ btf.Type, n uint32) btf.Type { return &btf.Array{Index: u32, Type: typ, Nelems: n} }
	proto := func(ret btf.Type, params ...btf.Type) btf.Type {
		p := &btf.FuncProto{Return: ret}
		for _, typ := range params {
			p.Params = append(p.Params, btf.FuncParam{Name: "any", Type: typ})
		}
		return p
	}
	void := &btf.Void{}

	for _, tc := range []struct {
		name          string
		local, target btf.Type
		want          bool
	}{
		{"int", u32, u32, true},
		{"int size", u32, &btf.Int{Name: "u32", Size: 8}, false},
		{"int sign", &btf.Int{Name: "u32", Size: 4, Encoding: btf.Signed}, u32, false},
		{"int encoding", &btf.Int{Name: "u32", Size: 4, Encoding: btf.Bool}, u32, true},
		{"int name", s32, &btf.Int{Name: "i", Size: 4, Encoding: btf.Signed}, false},
		{"kind", u32, strct("u32"), false},
		{"qualifiers and typedefs", &btf.Const{Type: &btf.Typedef{Name: "t", Type: u32}}, &btf.Volatile{Type: u32}, true},
		{"float", &btf.Float{Name: "f", Size: 4}, &btf.Float{Name: "f", Size: 4}, false},

		{"struct flavor", strct("s___x"), strct("s"), true},
		{"struct name", strct("s"), strct("other"), false},
		{"struct is no union", strct("s"), union("s"), false},
		{"fewer members, other order", strct("s", member("b", u32)), strct("s", member("a", s32), member("b", u32)), true},
		{"more members", strct("s", member("a", u32), member("b", u32)), strct("s", member("a", u32)), false},
		{"no such member", strct("s", member("c", u32)), strct("s", member("a", u32)), false},
		{"member type", strct("s", member("a", s32)), strct("s", member("a", u32)), false},
		{"member of a struct by value", strct("s", member("a", strct("in", member("x", u32)))), strct("s", member("a", strct("in", member("y", u32)))), false},
		{"one of the unnamed members", strct("s", member("", union("", member("b", u32)))),
			strct("s", member("", union("", member("a", u32))), member("", union("", member("b", u32)))), true},
		{"union", union("s", member("a", u32)), union("s", member("a", u32)), true},

		{"enum", enum(4, "A___x"), enum(4, "B", "A"), true},
		{"enum value missing", enum(4, "C"), enum(4, "B", "A"), false},
		{"enum with more values", enum(4, "A", "B"), enum(4, "A"), false},
		{"enum size", enum(4, "A"), enum(8, "A"), false},

		{"pointer", ptr(u32), ptr(u32), true},
		{"pointer to another int", ptr(u32), ptr(s32), false},
		{"pointer to void", ptr(void), ptr(void), true},
		{"pointer to void or not", ptr(void), ptr(u32), false},
		{"pointer to a struct with other members", ptr(strct("s", member("a", u32))), ptr(strct("s", member("b", u32))), true},
		{"pointer to a struct of another name", ptr(strct("s")), ptr(strct("other")), false},
		{"pointer to an unnamed struct", ptr(strct("", member("a", u32))), ptr(strct("s", member("a", u32))), false},
		{"pointer to unnamed structs", ptr(strct("", member("a", u32))), ptr(strct("", member("b", u32))), true},
		{"pointer to struct or union", ptr(strct("s")), ptr(union("s")), false},
		{"pointer to a declaration", ptr(fwd(btf.FwdStruct)), ptr(strct("s")), true},
		{"pointer to a declaration of a union", ptr(fwd(btf.FwdUnion)), ptr(strct("s")), false},
		{"pointer to what is declared in the kernel", ptr(union("s")), ptr(fwd(btf.FwdUnion)), true},
		{"pointer to declarations", ptr(fwd(btf.FwdUnion)), ptr(fwd(btf.FwdUnion)), true},
		{"pointer to an enum is followed", ptr(enum(4, "C")), ptr(enum(4, "A")), false},
		{"declaration by value", fwd(btf.FwdStruct), strct("s"), false},
		{"declarations by value", fwd(btf.FwdStruct), fwd(btf.FwdStruct), true},
		{"declarations of two kinds", fwd(btf.FwdStruct), fwd(btf.FwdUnion), false},

		{"array", array(u32, 2), array(u32, 2), true},
		{"array length", array(u32, 2), array(u32, 3), false},
		{"array element", array(u32, 2), array(s32, 2), false},

		{"function", ptr(proto(void, u32, ptr(strct("s", member("a", u32))))), ptr(proto(void, u32, ptr(strct("s")))), true},
		{"function with a struct behind the pointer to it", ptr(proto(void, strct("s", member("a", u32)))), ptr(proto(void, strct("s"))), true},
		{"function parameters", proto(void, u32), proto(void), false},
		{"function parameter", proto(void, u32), proto(void, s32), false},
		{"function result", proto(u32), proto(void), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := typesMatch(tc.local, tc.target, false, maxMatchDepth)
			if err != nil || got != tc.want {
				t.Errorf("got %v, %v, want %v", got, err, tc.want)
			}
		})
	}
}

func TestTypesMatchTooDeep(t *testing.T) {
	number := &btf.Int{Name: "int", Size: 4}
	pointers, structs := btf.Type(number), btf.Type(number)
	for range maxMatchDepth + 1 {
		pointers = &btf.Pointer{Target: pointers}
		structs = &btf.Struct{Name: "s", Members: []btf.Member{{Name: "a", Type: structs}}}
	}
	loop := &btf.Pointer{}
	loop.Target = loop
	for _, typ := range []btf.Type{pointers, structs, loop} {
		if _, err := typesMatch(typ, typ, false, maxMatchDepth); err == nil {
			t.Errorf("%v: no error", typ)
		}
	}
}
