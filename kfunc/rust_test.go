package kfunc

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"

	"github.com/ebpfx/ebpfx/btfx"
)

// rustExterns lists the externs of testdata/rust/NAME.
func rustExterns(t *testing.T, name string) (*ebpf.CollectionSpec, []Extern) {
	t.Helper()
	_, spec, externs := openRust(t, name)
	return spec, externs
}

func openRust(t *testing.T, name string) (*btfx.File, *ebpf.CollectionSpec, []Extern) {
	t.Helper()
	r, err := os.Open("../testdata/rust/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	file, err := btfx.NewFile(r)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := file.Spec()
	if err != nil {
		t.Fatal(err)
	}
	externs, err := Externs(spec, file)
	if err != nil {
		t.Fatal(err)
	}
	return file, spec, externs
}

// TestRustExterns: kinds by use, weak by the binding of the symbol.
func TestRustExterns(t *testing.T) {
	for object, want := range map[string][]Extern{
		"tcp_kfuncs": {
			{Name: "tcp_reno_cong_avoid", Kind: Function}, {Name: "tcp_reno_ssthresh", Kind: Function}, {Name: "tcp_reno_undo_cwnd", Kind: Function},
		},
		"tcp_weak": {
			{Name: "tcp_reno_cong_avoid", Kind: Function, Weak: true},
			{Name: "tcp_reno_cong_avoid_of_the_future", Kind: Function, Weak: true},
			{Name: "tcp_reno_ssthresh___strong", Kind: Function},
			{Name: "tcp_reno_undo_cwnd___weak", Kind: Function, Weak: true},
		},
		"ksyms_symbols": {{Name: "_stext", Kind: Symbol}, {Name: "no_such_symbol", Kind: Symbol, Weak: true}},
	} {
		for _, variant := range []string{"-plain.o", "-linked.o"} {
			_, got := rustExterns(t, object+variant)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", object+variant, diff)
			}
		}
	}
}

// TestRustTrap: an object with a DATASEC .ksyms in which its kfuncs are not.
func TestRustTrap(t *testing.T) {
	for name, want := range map[string][]string{"trap-plain.o": {"__bpf_trap"}, "trap-linked.o": nil} {
		file, _, externs := openRust(t, name)
		var declared []string
		for _, v := range file.Datasec(ksymsSection) {
			declared = append(declared, v.Name)
		}
		if diff := cmp.Diff(want, declared); diff != "" {
			t.Errorf("%s: DATASEC .ksyms (-want +got):\n%s", name, diff)
		}
		if r, err := Resolve(externs, reno(t), nil); err != nil || len(r.Externs) != 3 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// reno is a kernel with the functions of tcp_kfuncs.rs, and strlen.
func reno(t *testing.T) *btfx.Kernel {
	t.Helper()
	u32 := &btf.Int{Name: "unsigned int", Size: 4}
	sk := btf.FuncParam{Name: "sk", Type: &btf.Pointer{Target: &btf.Struct{Name: "sock", Size: 8}}}
	fn := func(name string, ret btf.Type, params ...btf.FuncParam) btf.Type {
		return &btf.Func{Name: name, Linkage: btf.StaticFunc, Type: &btf.FuncProto{Return: ret, Params: params}}
	}
	return imaginary(t, []btf.Type{
		fn("tcp_reno_ssthresh", u32, sk),
		fn("tcp_reno_cong_avoid", &btf.Void{}, sk, btf.FuncParam{Name: "ack", Type: u32}, btf.FuncParam{Name: "acked", Type: u32}),
		fn("tcp_reno_undo_cwnd", u32, sk),
		fn("strlen", &btf.Int{Name: "unsigned long", Size: 8}, btf.FuncParam{Name: "s", Type: &btf.Pointer{Target: &btf.Const{Type: &btf.Int{Name: "char", Size: 1}}}}),
	}, nil)
}

// TestRustVoid: prototypes with c_void are compatible with the kernel's, and
// upstream's comparison still says they are not.
func TestRustVoid(t *testing.T) {
	_, externs := rustExterns(t, "tcp_kfuncs-future.o")
	k := reno(t)
	r, err := Resolve(externs, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Externs {
		if x.Absent || x.Declared == "" || !strings.Contains(x.Declared, "c_void") || !strings.Contains(x.Kernel, "struct sock") {
			t.Errorf("%+v", x)
		}
	}

	local := externs[0].Type.(*btf.Func)
	_, kern, err := lookup[*btf.Func](k, btfx.KindFunc, local.Name)
	if err != nil {
		t.Fatal(err)
	}
	if btf.CheckTypeCompatibility(local.Type, kern.Type) == nil {
		t.Error("upstream finds c_void compatible with a struct: withKernelVoids can go")
	}
	proto := *local.Type.(*btf.FuncProto)
	proto.Params = proto.Params[1:]
	if err := btf.CheckTypeCompatibility(withKernelVoids(&proto, kern.Type), kern.Type); err == nil {
		t.Error("a parameter less is compatible")
	}
}

// TestRustVoidDepth: no more pointers than the kernel has.
func TestRustVoidDepth(t *testing.T) {
	ptr := func(typ btf.Type) btf.Type { return &btf.Pointer{Target: typ} }
	void, sock := &btf.Enum{Name: "c_void", Size: 1}, &btf.Struct{Name: "sock"}
	for _, test := range []struct {
		local, kern btf.Type
		want        bool
	}{
		{ptr(void), ptr(sock), true},
		{ptr(void), ptr(ptr(sock)), true},
		{ptr(ptr(void)), ptr(ptr(sock)), true},
		{ptr(ptr(void)), ptr(sock), false},
		{void, ptr(sock), false},
		{ptr(void), sock, false},
		{ptr(&btf.Enum{Name: "void", Size: 1}), ptr(sock), false},
	} {
		if got := leadsToVoid(test.local, test.kern); got != test.want {
			t.Errorf("%v for %v: %v, want %v", typeString(test.local), typeString(test.kern), got, test.want)
		}
	}
}

func typeString(typ btf.Type) string { return declare(typ, "", 0) }

// TestRustUnchecked: without BTF the kernel's prototype is taken, and that it was
// not compared can be seen.
func TestRustUnchecked(t *testing.T) {
	spec, externs := rustExterns(t, "tcp_kfuncs-plain.o")
	r, err := Resolve(externs, reno(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Externs {
		if x.Declared != "" || x.Kernel == "" || x.Ref.ID == 0 {
			t.Errorf("%+v", x)
		}
	}
	for name, prog := range spec.Programs {
		if err := r.Apply(prog.Instructions, nil); err != nil {
			t.Errorf("program %q: %v", name, err)
		}
		for _, ins := range prog.Instructions {
			if ins.IsFunctionCall() && ins.Constant == -1 {
				t.Errorf("program %q: %v is unpatched", name, ins)
			}
		}
	}
}

// TestRustMissing: all that is missing in one error, each with what helps.
func TestRustMissing(t *testing.T) {
	for object, want := range map[string][]string{
		"tcp_kfuncs-linked.o": {`"tcp_reno_cong_avoid" (strong)`, `"tcp_reno_ssthresh" (strong)`, `"tcp_reno_undo_cwnd" (strong)`},
		"no_panic-linked.o":   {"a Rust function of another crate"},
		"no_strlen-linked.o":  {"link compiler_builtins"},
	} {
		_, externs := rustExterns(t, object)
		_, err := Resolve(externs, imaginary(t, []btf.Type{&btf.Int{Name: "int", Size: 4}}, nil), nil)
		if !errors.Is(err, ebpf.ErrNotSupported) {
			t.Errorf("%s: %v", object, err)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error\n%v\nwant %s", object, err, w)
			}
		}
	}
}

func TestExplainNotAllowed(t *testing.T) {
	_, externs := rustExterns(t, "no_strlen-plain.o")
	r, err := Resolve(externs, reno(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := r.Explain([]string{"calling kernel function strlen is not allowed", "processed 2 insns"})
	if !ok || !strings.Contains(got, `"strlen" is a kernel function, but no kfunc`) || !strings.Contains(got, "link compiler_builtins") {
		t.Errorf("%v %s", ok, got)
	}
	got, ok = r.Explain([]string{"calling kernel function tcp_reno_ssthresh is not allowed"})
	if want := `"tcp_reno_ssthresh" is a kernel function, but no kfunc that programs of this type may call`; !ok || got != want {
		t.Errorf("%v %s, want %s", ok, got, want)
	}
}

// TestRustSubprograms: a kfunc call in a subprogram is patched as well, in each
// program that the subprogram is part of.
func TestRustSubprograms(t *testing.T) {
	for _, name := range []string{"tcp_subprograms-plain.o", "tcp_subprograms-linked.o"} {
		spec, externs := rustExterns(t, name)
		r, err := Resolve(externs, reno(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		for program, function := range map[string]string{"sub_cong_avoid": "tcp_reno_cong_avoid", "sub_undo_cwnd": "tcp_reno_undo_cwnd"} {
			insns := spec.Programs[program].Instructions
			if err := r.Apply(insns, nil); err != nil {
				t.Fatal(err)
			}
			index, ok := r.index(function)
			if !ok {
				t.Fatal(function)
			}
			var subprogram string
			calls := make(map[string]int64)
			for i := range insns {
				if symbol := insns[i].Symbol(); symbol != "" {
					subprogram = symbol
				}
				if insns[i].IsKfuncCall() {
					calls[subprogram] = insns[i].Constant
				}
			}
			if len(calls) != 1 || calls[program] != 0 || slices.Collect(maps.Values(calls))[0] != int64(r.Externs[index].Ref.ID) {
				t.Errorf("%s: program %q: kfunc calls by function %v, want one in a subprogram, of type %d", name, program, calls, r.Externs[index].Ref.ID)
			}
		}
	}
}
