package kfunc

import (
	"bytes"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"

	"github.com/ebpfx/ebpfx/btfx"
)

// listed is an [Extern] with its type rendered, to be compared.
type listed struct {
	Name           string
	Kind           Kind
	Weak           bool
	BindingUnknown bool
	Declared       string
}

func render(externs []Extern) []listed {
	var out []listed
	for _, e := range externs {
		out = append(out, listed{e.Name, e.Kind, e.Weak, e.BindingUnknown, prototype(e.Type)})
	}
	return out
}

func TestExterns(t *testing.T) {
	tests := map[string][]listed{
		"none": nil,
		"flavor": {
			{"bpf_rcu_read_lock___new", Function, true, false, "void bpf_rcu_read_lock___new(void)"},
			{"bpf_rcu_read_unlock___new", Function, true, false, "void bpf_rcu_read_unlock___new(void)"},
		},
		"strong": {
			{"bpf_no_such_kfunc", Function, false, false, "int bpf_no_such_kfunc(const char *, int)"},
			{"bpf_rcu_read_lock", Function, false, false, "int *bpf_rcu_read_lock(int, void **)"},
		},
		"poison": {
			{"bpf_no_such_kfunc", Function, true, false, "int bpf_no_such_kfunc(void)"},
		},
		"variable": {
			{"bpf_no_such_variable", Variable, true, false, "const int bpf_no_such_variable"},
			{"bpf_prog_active", Variable, false, false, "const int bpf_prog_active"},
		},
		"symbol": {
			{"bpf_map_put", Symbol, false, false, "const void bpf_map_put"},
			{"no_such_symbol", Symbol, true, false, "const void no_such_symbol"},
		},
		"undeclared": {
			{"bpf_rcu_read_lock", Function, false, false, "void bpf_rcu_read_lock(void)"},
			{"bpf_rcu_read_unlock", Function, false, false, "void bpf_rcu_read_unlock(void)"},
		},
		"config": {
			{"CONFIG_BPF", Config, false, false, "char CONFIG_BPF"},
			{"CONFIG_BPF_SYSCALL", Config, false, false, "_Bool CONFIG_BPF_SYSCALL"},
			{"CONFIG_DEFAULT_HOSTNAME", Config, false, false, "char CONFIG_DEFAULT_HOSTNAME[5]"},
			{"CONFIG_HZ", Config, false, false, "u64 CONFIG_HZ"},
			{"CONFIG_MISSING", Config, true, false, "short CONFIG_MISSING"},
			{"CONFIG_NET", Config, false, false, "enum libbpf_tristate CONFIG_NET"},
			{"LINUX_HAS_BPF_COOKIE", Config, false, false, "_Bool LINUX_HAS_BPF_COOKIE"},
			{"LINUX_HAS_SYSCALL_WRAPPER", Config, false, false, "_Bool LINUX_HAS_SYSCALL_WRAPPER"},
			{"LINUX_KERNEL_VERSION", Config, false, false, "u32 LINUX_KERNEL_VERSION"},
			{"LINUX_UNKNOWN_VIRTUAL_EXTERN", Config, true, false, "int LINUX_UNKNOWN_VIRTUAL_EXTERN"},
		},
	}
	for name, want := range tests {
		for _, order := range []string{"el", "eb"} {
			t.Run(name+"-"+order, func(t *testing.T) {
				file, spec := open(t, "kfunc_"+name+"-"+order+".elf")
				got, err := Externs(spec, file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, render(got)); diff != "" {
					t.Errorf("externs (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A spec of upstream's reader names the same externs, and loses the binding
// unless the file is there to tell it.
func TestExternsPlain(t *testing.T) {
	for _, name := range []string{"flavor", "strong", "incompatible", "undeclared", "module", "config_cookie"} {
		t.Run(name, func(t *testing.T) {
			object := "kfunc_" + name + "-el.elf"
			file, viewed := open(t, object)
			want, err := Externs(viewed, file)
			if err != nil {
				t.Fatal(err)
			}

			spec := plain(t, object)
			got, err := Externs(spec, file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(render(want), render(got)); diff != "" {
				t.Errorf("with file (-want +got):\n%s", diff)
			}

			got, err = Externs(spec, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if want[i].Kind != Config {
					want[i].Weak, want[i].BindingUnknown = false, true
				}
			}
			if diff := cmp.Diff(render(want), render(got)); diff != "" {
				t.Errorf("without file (-want +got):\n%s", diff)
			}
		})
	}
}

// References to functions, maps and labels of the object are no externs. An
// extern without BTF is what it is used for.
func TestExternsByUse(t *testing.T) {
	load := func(src asm.Register, ref string) asm.Instruction {
		ins := asm.LoadImm(asm.R1, 0, asm.DWord).WithReference(ref)
		ins.Src = src
		return ins
	}
	call := func(ref string) asm.Instruction {
		return asm.Instruction{OpCode: asm.OpCode(asm.JumpClass).SetJumpOp(asm.Call), Src: asm.PseudoCall, Constant: -1}.WithReference(ref)
	}
	spec := &ebpf.CollectionSpec{
		Maps: map[string]*ebpf.MapSpec{"map": {}, ".data": {}},
		Programs: map[string]*ebpf.ProgramSpec{"prog": {Instructions: asm.Instructions{
			load(asm.PseudoMapFD, "map").WithSymbol("prog"),
			load(asm.PseudoMapValue, ".data"),
			load(asm.PseudoMapValue, "dropped map"),
			load(asm.PseudoFunc, "callback"),
			load(asm.R0, "address"),
			load(asm.R0, "guarded"),
			call("guarded"),
			call("called"),
			call("sub"),
			asm.Ja.Label("out"),
			asm.Return().WithSymbol("out"),
			asm.Return().WithSymbol("sub"),
		}}},
	}
	want := []listed{
		{"address", Symbol, false, true, ""},
		{"called", Function, false, true, ""},
		{"guarded", Function, false, true, ""},
	}
	got, err := Externs(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, render(got)); diff != "" {
		t.Errorf("externs (-want +got):\n%s", diff)
	}
}

func TestExternsOtherFile(t *testing.T) {
	file, _ := open(t, "kfunc_flavor-el.elf")
	spec := plain(t, "kfunc_module-el.elf")
	// The reference is that of the file, the types are not.
	for i, ins := range spec.Programs["prog"].Instructions {
		if ins.Reference() != "" {
			spec.Programs["prog"].Instructions[i] = ins.WithReference("bpf_rcu_read_lock___new")
		}
	}
	_, err := Externs(spec, file)
	if err == nil || !strings.Contains(err.Error(), "not of this file") {
		t.Errorf("got error %v, want one that the spec is not of this file", err)
	}
}

func TestExternsDeterministic(t *testing.T) {
	elf := golden(t, "kfunc_config-el.elf")
	var want []listed
	for range 100 {
		file, err := btfx.NewFile(bytes.NewReader(elf))
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
		got := render(externs)
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("two runs differ:\n%s", diff)
		}
	}
}

func TestKindOf(t *testing.T) {
	tests := []struct {
		name string
		use  usage
		decl declaration
		want Kind
		err  string
	}{
		{"const void", loaded, declaration{ksymsSection, variable("x", &btf.Const{Type: (*btf.Void)(nil)})}, Symbol, ""},
		{"typedef of void", loaded, declaration{ksymsSection, variable("x", &btf.Typedef{Name: "t", Type: &btf.Void{}})}, Symbol, ""},
		{"called variable", called, declaration{ksymsSection, variable("x", signedInt)}, 0, "is called, but declared as variable"},
		{"variable of another file", loaded, declaration{"", variable("x", signedInt)}, 0,
			"declared without __ksym or __kconfig, so another object file has it: link the two (bpftool gen object)"},
		{"kconfig function", called, declaration{kconfigSection, function("f", signedInt)}, 0, `function in DATASEC ".kconfig": not supported`},
		{"other kind", loaded, declaration{ksymsSection, signedInt}, 0, `*btf.Int in DATASEC ".ksyms", expected a variable or function`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := kindOf(test.use, test.decl)
			if got != test.want {
				t.Errorf("got kind %v, want %v", got, test.want)
			}
			if text := errorText(err); text != test.err {
				t.Errorf("got error %q, want %q", text, test.err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
