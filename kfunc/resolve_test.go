package kfunc

import (
	"errors"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"

	"github.com/ebpfx/ebpfx/btfx"
)

// find returns where the imaginary kernel has a type.
func find(t *testing.T, k *btfx.Kernel, kind btfx.Kind, name string) btfx.Ref {
	t.Helper()
	ref, err := k.Find(kind, name)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// testKernel has kfuncs in vmlinux and in a module, and a per-CPU variable.
func testKernel(t *testing.T) *btfx.Kernel {
	return imaginary(t, []btf.Type{
		function("insert", &btf.Void{}, task, u64Type),
		function("both", signedInt),
		function("hidden", signedInt, task),
		variable("per_cpu", signedInt),
	}, []btf.Type{
		function("mod_kfunc", signedInt, &btf.Pointer{Target: signedInt}),
		function("both", signedInt, signedInt),
		variable("mod_var", signedInt),
	})
}

func TestResolveFunction(t *testing.T) {
	k := testKernel(t)
	insert := find(t, k, btfx.KindFunc, "insert")
	const kernInsert = "void insert(struct task_struct *a, unsigned long b)"

	tests := []struct {
		name   string
		extern Extern
		want   Resolved
	}{
		{
			"exact",
			Extern{Name: "insert", Type: function("insert", &btf.Void{}, task, u64Type)},
			Resolved{Ref: insert, Kernel: kernInsert, Declared: kernInsert},
		},
		{
			"flavor",
			Extern{Name: "insert___v2", Type: function("insert___v2", &btf.Void{}, task, u64Type)},
			Resolved{Ref: insert, Kernel: kernInsert, Declared: "void insert___v2(struct task_struct *a, unsigned long b)"},
		},
		{
			"size and sign of integers, names of structs and enum64 do not count",
			Extern{Name: "insert", Type: function("insert", &btf.Void{}, &btf.Pointer{Target: &btf.Struct{Name: "other"}}, charType)},
			Resolved{Ref: insert, Kernel: kernInsert, Declared: "void insert(struct other *a, char b)"},
		},
		{
			"no prototype",
			Extern{Name: "insert___v2", Weak: true},
			Resolved{Ref: insert, Kernel: kernInsert},
		},
		{
			"module",
			Extern{Name: "mod_kfunc___x", Type: function("mod_kfunc___x", signedInt, &btf.Pointer{Target: longType})},
			Resolved{Ref: find(t, k, btfx.KindFunc, "mod_kfunc"), Kernel: "int mod_kfunc(int *a)", Declared: "int mod_kfunc___x(long *a)"},
		},
		{
			"vmlinux before modules",
			Extern{Name: "both", Type: function("both", signedInt)},
			Resolved{Ref: find(t, k, btfx.KindFunc, "both"), Kernel: "int both(void)", Declared: "int both(void)"},
		},
		{
			"weak and missing",
			Extern{Name: "absent___x", Weak: true, Type: function("absent___x", signedInt)},
			Resolved{Absent: true, Reason: `FUNC "absent": not found in kernel BTF`, Declared: "int absent___x(void)"},
		},
		{
			"weak and incompatible",
			Extern{Name: "both", Weak: true, Type: function("both", signedInt, signedInt)},
			Resolved{
				Absent: true, Kernel: "int both(void)", Declared: "int both(int a)",
				Reason: `incompatible kfunc: the object declares "int both(int a)", the kernel has "int both(void)": function param mismatch: incompatible types`,
			},
		},
		{
			"binding unknown and missing",
			Extern{Name: "absent", BindingUnknown: true},
			Resolved{Absent: true, Reason: `FUNC "absent": not found in kernel BTF`},
		},
		{
			"a variable is no function",
			Extern{Name: "per_cpu", Weak: true},
			Resolved{Absent: true, Reason: `FUNC "per_cpu": not found in kernel BTF`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.extern.Kind = Function
			test.want.Name, test.want.Kind, test.want.Weak = test.extern.Name, Function, test.extern.Weak
			got, err := Resolve([]Extern{test.extern}, k, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&Resolution{Externs: []Resolved{test.want}}, got); diff != "" {
				t.Errorf("resolution (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResolveVariable(t *testing.T) {
	k := testKernel(t)
	externs := []Extern{
		{Name: "per_cpu", Kind: Variable, Type: variable("per_cpu", &btf.Const{Type: longType})},
		{Name: "mod_var", Kind: Variable, Type: variable("mod_var", signedInt)},
		{Name: "per_cpu___x", Kind: Variable, Weak: true, Type: variable("per_cpu___x", signedInt)},
	}
	got, err := Resolve(externs, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Resolution{Externs: []Resolved{
		{Name: "mod_var", Kind: Variable, Ref: find(t, k, btfx.KindVar, "mod_var"), Declared: "int mod_var", Kernel: "int mod_var"},
		{Name: "per_cpu", Kind: Variable, Ref: find(t, k, btfx.KindVar, "per_cpu"), Declared: "const long per_cpu", Kernel: "int per_cpu"},
		{
			Name: "per_cpu___x", Kind: Variable, Weak: true, Declared: "int per_cpu___x", Absent: true,
			Reason: `VAR "per_cpu___x": not found in kernel BTF, which has per-CPU variables only (others: extern const void per_cpu___x __ksym)`,
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resolution (-want +got):\n%s", diff)
	}
}

// All failures come in one error, sorted by name.
func TestResolveErrors(t *testing.T) {
	externs := []Extern{
		{Name: "strlen", Kind: Function},
		{Name: "per_cpu", Kind: Variable, Weak: true, Type: variable("per_cpu", task)},
		{Name: "mod_kfunc", Kind: Function, Type: function("mod_kfunc", signedInt, signedInt)},
		{Name: "absent___x", Kind: Function, Type: function("absent___x", signedInt)},
		{Name: "_RNv4core", Kind: Function},
		{Name: "lost", Kind: Variable, BindingUnknown: true, Type: variable("lost", signedInt)},
	}
	_, err := Resolve(externs, testKernel(t), nil)
	const want = `extern "_RNv4core" (strong): not resolved: FUNC "_RNv4core": not found in kernel BTF: a Rust function of another crate, link it in or avoid code that may panic
extern "absent___x" (strong): not resolved: FUNC "absent": not found in kernel BTF: a newer kernel or a module that is not loaded may have it, or another object file that was not linked in
extern "lost": not resolved: VAR "lost": not found in kernel BTF, which has per-CPU variables only (others: extern const void lost __ksym) (the spec does not tell whether it is weak: give its file in structops.Options.ELF)
extern "mod_kfunc": incompatible kfunc: the object declares "int mod_kfunc(int a)", module "testmod" has "int mod_kfunc(int *a)": type mismatch between Int:"int"[signed size=4] and Pointer[target=Int:"int"]: incompatible types
extern "per_cpu": incompatible variable: the object declares "struct task_struct *per_cpu", the kernel has "int per_cpu": type mismatch between Pointer[target=Struct:"task_struct"] and Int:"int"[signed size=4]: incompatible types
extern "strlen" (strong): not resolved: FUNC "strlen": not found in kernel BTF: a function of the compiler's runtime has to be linked in: link compiler_builtins (Rust)`
	if diff := cmp.Diff(want, errorText(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if !errors.Is(err, btf.ErrNotFound) || !errors.Is(err, ebpf.ErrNotSupported) {
		t.Error("error is neither ErrNotFound nor ErrNotSupported")
	}
	var missing *MissingError
	if !errors.As(err, &missing) || missing.Name != "_RNv4core" || missing.Kind != Function {
		t.Errorf("got %+v, want a MissingError for _RNv4core", missing)
	}
	var incompatible *IncompatibleError
	if !errors.As(err, &incompatible) || incompatible.Module != "testmod" || incompatible.Wanted != "int mod_kfunc(int a)" {
		t.Errorf("got %+v, want an IncompatibleError for mod_kfunc", incompatible)
	}
}

// Kernel BTF with the hidden argument left in is told from another prototype.
func TestResolveHiddenArgument(t *testing.T) {
	kern := function("f", signedInt, task, u64Type)
	kern.Type.(*btf.FuncProto).Params[1].Name = "aux"
	k := imaginary(t, []btf.Type{kern}, nil)
	_, err := Resolve([]Extern{{Name: "f", Kind: Function, Type: function("f", signedInt, task)}}, k, nil)
	const want = `extern "f": incompatible kfunc: the object declares "int f(struct task_struct *a)", the kernel has "int f(struct task_struct *a, unsigned long aux)": function param mismatch: incompatible types (kernel BTF made by pahole before 1.26 shows the hidden argument aux)`
	if errorText(err) != want {
		t.Errorf("got  %v\nwant %v", err, want)
	}
}

func TestResolveDeterministic(t *testing.T) {
	var want *Resolution
	for range 100 {
		file, spec := open(t, "kfunc_incompatible-el.elf")
		externs, err := Externs(spec, file)
		if err != nil {
			t.Fatal(err)
		}
		k := imaginary(t, []btf.Type{function("bpf_rcu_read_lock", &btf.Void{}), function("bpf_rcu_read_unlock", &btf.Void{})}, nil)
		got, err := Resolve(externs, k, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("two runs differ:\n%s", diff)
		}
	}
}

// Nothing is opened without externs: there is no kernel to ask.
func TestResolveNothing(t *testing.T) {
	got, err := Resolve(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Resolution{}, got); diff != "" {
		t.Errorf("resolution (-want +got):\n%s", diff)
	}
	if got.KconfigMap() != nil {
		t.Error("map without config values")
	}
}
