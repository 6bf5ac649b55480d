package kfunc

import (
	"testing"

	"github.com/cilium/ebpf/btf"
)

func TestPrototype(t *testing.T) {
	char := &btf.Int{Name: "char", Size: 1}
	u64 := &btf.Typedef{Name: "u64", Type: &btf.Int{Name: "unsigned long long", Size: 8}}
	ptr := func(t btf.Type) btf.Type { return &btf.Pointer{Target: t} }
	callback := &btf.FuncProto{Return: signedInt, Params: []btf.FuncParam{{Name: "x", Type: u64}}}
	loop := new(btf.Pointer)
	loop.Target = loop

	tests := []struct {
		want string
		typ  btf.Type
	}{
		{"", nil},
		{"void f(void)", function("f", &btf.Void{})},
		{"struct task_struct *f(u64 a, const char *b)", function("f", task, u64, ptr(&btf.Const{Type: char}))},
		{"char *const x", variable("x", &btf.Const{Type: ptr(char)})},
		{"const volatile char x", variable("x", &btf.Const{Type: &btf.Volatile{Type: char}})},
		{"const char *restrict x", variable("x", &btf.Restrict{Type: ptr(&btf.Const{Type: char})})},
		{"char x[2][3]", variable("x", &btf.Array{Nelems: 2, Type: &btf.Array{Nelems: 3, Type: char}})},
		{"char (*x)[3]", variable("x", ptr(&btf.Array{Nelems: 3, Type: char}))},
		{"char *x[3]", variable("x", &btf.Array{Nelems: 3, Type: ptr(char)})},
		{"void f(int (*a)(...))", function("f", &btf.Void{}, ptr(callback))},
		{"int (*x)(...)", variable("x", ptr(callback))},
		{"union {...} x", variable("x", &btf.Union{})},
		{"enum e x", variable("x", &btf.Enum{Name: "e"})},
		{"struct fwd *x", variable("x", ptr(&btf.Fwd{Name: "fwd"}))},
		{"union fwd *x", variable("x", ptr(&btf.Fwd{Name: "fwd", Kind: btf.FwdUnion}))},
		{"struct task_struct *x", variable("x", &btf.TypeTag{Type: task, Value: "rcu"})},
		{"... *********************************x", variable("x", loop)},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			if got := prototype(test.typ); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}
