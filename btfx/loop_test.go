package btfx

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
)

func TestCheckLoops(t *testing.T) {
	list := &btf.Struct{Name: "list", Size: 8}
	list.Members = []btf.Member{{Name: "next", Type: &btf.Pointer{Target: list}}}
	ops := &btf.Struct{Name: "ops", Size: 8}
	ops.Members = []btf.Member{{Name: "f", Type: &btf.Pointer{Target: &btf.FuncProto{
		Return: &btf.Void{}, Params: []btf.FuncParam{{Name: "ops", Type: &btf.Pointer{Target: ops}}},
	}}}}

	matryoshka := &btf.Struct{Name: "matryoshka", Size: 8}
	matryoshka.Members = []btf.Member{{Name: "inner", Type: &btf.Typedef{Name: "t", Type: matryoshka}}}
	typedef := &btf.Typedef{Name: "typedef"}
	typedef.Type = &btf.Const{Type: typedef}
	proto := &btf.FuncProto{Return: &btf.Void{}}
	proto.Params = []btf.FuncParam{{Name: "f", Type: &btf.Pointer{Target: proto}}}
	byValue := &btf.Struct{Name: "by_value", Size: 8}
	byValue.Members = []btf.Member{{Name: "f", Type: &btf.FuncProto{
		Return: &btf.Void{}, Params: []btf.FuncParam{{Name: "s", Type: &btf.Pointer{Target: byValue}}},
	}}}

	for name, tc := range map[string]struct {
		typ  btf.Type
		want string
	}{
		"list":              {list, ""},
		"callbacks":         {ops, ""},
		"array":             {&btf.Array{Index: &btf.Int{Size: 4}, Type: list, Nelems: 2}, ""},
		"struct in itself":  {matryoshka, "contains itself"},
		"typedef of itself": {typedef, "contains itself"},
		"function pointer":  {proto, "contains itself"},
		"function in it":    {byValue, "has a function by value"},
	} {
		err := checkLoops([]btf.Type{tc.typ})
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
