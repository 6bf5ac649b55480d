package kfunc

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"
	"github.com/google/go-cmp/cmp"

	"github.com/ebpfx/ebpfx/btfx"
)

// dump renders all instructions and maps of a spec.
func dump(spec *ebpf.CollectionSpec) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(spec.Programs)) {
		fmt.Fprintf(&b, "program %s\n", name)
		for _, ins := range spec.Programs[name].Instructions {
			fmt.Fprintf(&b, "%v %#x %d %d %d %#x\n", ins, uint32(ins.OpCode), ins.Dst, ins.Src, ins.Offset, ins.Constant)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Maps)) {
		fmt.Fprintf(&b, "map %s %v\n", name, spec.Maps[name])
	}
	return b.String()
}

// elfOption gives Fixup the file.
func elfOption(t *testing.T, object string) *Options {
	return &Options{ELF: bytes.NewReader(golden(t, object))}
}

// imaginaryRCU has the kfuncs of the golden objects, and a module with theirs.
func imaginaryRCU(t *testing.T) *btfx.Kernel {
	return imaginary(t, []btf.Type{
		function("bpf_rcu_read_lock", &btf.Void{}),
		function("bpf_rcu_read_unlock", &btf.Void{}),
	}, []btf.Type{
		function("bpf_testmod_test_mod_kfunc", &btf.Void{}, signedInt),
	})
}

func TestFixupUntouched(t *testing.T) {
	for _, object := range []string{"kfunc_none-el.elf", "structops_large-el.elf"} {
		t.Run(object, func(t *testing.T) {
			spec := plain(t, object)
			want := dump(spec)
			if err := Fixup(spec, nil, nil); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, dump(spec)); diff != "" {
				t.Errorf("spec changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFixupTwice(t *testing.T) {
	for _, object := range []string{"flavor", "incompatible", "poison", "undeclared", "config_cookie", "symbol"} {
		for _, withELF := range []bool{false, true} {
			if object == "symbol" && !withELF {
				continue // upstream refuses it, and its binding needs the file
			}
			t.Run(fmt.Sprintf("%s %v", object, withELF), func(t *testing.T) {
				object := "kfunc_" + object + "-el.elf"
				spec := plain0(t, object)
				opts := new(Options)
				if withELF {
					opts = elfOption(t, object)
				}
				opts.Kallsyms = strings.NewReader("1 T bpf_map_put\n")
				if err := Fixup(spec, imaginaryRCU(t), opts); err != nil {
					t.Fatal(err)
				}
				want := dump(spec)
				opts.Kallsyms = strings.NewReader("")
				if err := Fixup(spec, imaginaryRCU(t), opts); err != nil {
					t.Fatal("second time:", err)
				}
				if diff := cmp.Diff(want, dump(spec)); diff != "" {
					t.Errorf("second Fixup changed the spec (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// plain0 is the spec of upstream's reader or, where that refuses the object,
// of the view.
func plain0(t *testing.T, object string) *ebpf.CollectionSpec {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(golden(t, object)))
	if err != nil {
		_, spec = open(t, object)
	}
	return spec
}

// A kfunc of a module keeps upstream's notes, under its essential name. Its
// address is beyond upstream's loader.
func TestFixupModule(t *testing.T) {
	spec := plain(t, "kfunc_module_flavor-el.elf")
	want := dump(spec)
	for range 2 {
		if err := Fixup(spec, imaginaryRCU(t), elfOption(t, "kfunc_module_flavor-el.elf")); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, dump(spec)); diff != "" {
			t.Errorf("instructions changed (-want +got):\n%s", diff)
		}
	}
	err := Fixup(plain(t, "kfunc_module-el.elf"), imaginaryRCU(t), nil)
	if !errors.Is(err, ebpf.ErrNotSupported) || !strings.Contains(err.Error(), `load with package structops`) {
		t.Errorf("address of a module kfunc: got error %v", err)
	}
}

func TestFixupModuleLoads(t *testing.T) {
	k := needsTestmod(t)
	const object = "kfunc_module_flavor-el.elf"
	if _, _, err := run(t, plain(t, object)); err == nil {
		t.Error("upstream finds the flavor of a module's kfunc: delete leaveModule")
	}
	for _, opts := range []*Options{nil, elfOption(t, object)} {
		spec := plain(t, object)
		if err := Fixup(spec, k, opts); err != nil {
			t.Fatal(err)
		}
		if got, _, err := run(t, spec); err != nil || got != 1 {
			t.Errorf("got %d, %+v, want 1", got, err)
		}
	}
}

// needsTestmod skips a test where the kernel's own test module is not loaded.
func needsTestmod(t *testing.T) *btfx.Kernel {
	t.Helper()
	k := needsKernel(t)
	if ref, err := k.Find(btfx.KindFunc, "bpf_testmod_test_mod_kfunc"); err != nil || ref.Module == "" {
		t.Skip("needs the module bpf_testmod:", err)
	}
	return k
}

// needsKernel skips a test that loads programs where that can't work.
func needsKernel(t *testing.T) *btfx.Kernel {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("loading programs needs Linux and root")
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Fatal(err)
	}
	k, err := btfx.LoadKernel()
	if err != nil {
		t.Skip("no kernel BTF:", err)
	}
	if _, err := k.Find(btfx.KindFunc, "bpf_rcu_read_lock"); err != nil {
		t.Skip("kernel without bpf_rcu_read_lock, older than Linux 6.2:", err)
	}
	return k
}

// run loads a program with upstream's loader and runs it once.
func run(t *testing.T, spec *ebpf.CollectionSpec) (uint32, *ebpf.Collection, error) {
	t.Helper()
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return 0, nil, err
	}
	t.Cleanup(coll.Close)
	ret, err := coll.Programs["prog"].Run(&ebpf.RunOptions{Data: make([]byte, 64)})
	if err != nil {
		t.Fatal(err)
	}
	return ret, coll, nil
}

// What upstream's loader makes of the golden objects by itself. Each case is
// work of this package; upstream loading it right is the sign to delete it.
func TestCanary(t *testing.T) {
	needsKernel(t)
	tests := []struct {
		object string
		err    string // of the reader or loader
		ret    uint32 // if there is no error
		delete string
	}{
		{"flavor", "", 2, "the essential name in resolveFunction, and leaveModule"},
		{"incompatible", "function param mismatch", 0, "Fixup of incompatible weak kfuncs"},
		{"poison", `symbol "sub": unsatisfied program reference`, 0, "the poisoned call of Fixup"},
		{"missing_variable", "to be *Void, not *btf.Var", 0, "Fixup of variables, and .ksyms in the view of btfx"},
		{"symbol", "to be *Void, not *btf.Var", 0, "Fixup of typeless symbols, and .ksyms in the view of btfx"},
		{"config_weak", "unsupported binding: STB_WEAK", 0, "config.go for Fixup, and .kconfig in the view of btfx"},
		{"config_cookie", `config option "LINUX_HAS_BPF_COOKIE" does not exist`, 0, "virtualNames for Fixup"},
		{"undeclared", "unsatisfied program reference", 0, "externs without DATASEC in Fixup"},
	}
	for _, test := range tests {
		t.Run(test.object, func(t *testing.T) {
			spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(golden(t, "kfunc_"+test.object+"-el.elf")))
			var ret uint32
			if err == nil {
				delete(spec.Programs, "reached")
				ret, _, err = run(t, spec)
			}
			if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) || test.err == "" && (err != nil || ret != test.ret) {
				t.Errorf("upstream: got %d, %v; this used to be %d, %q. If the object works now, delete %s", ret, err, test.ret, test.err, test.delete)
			}
		})
	}
}

// Upstream sets the offset field of the load of a module kfunc's address, which
// the kernel refuses.
func TestCanaryModuleAddress(t *testing.T) {
	needsTestmod(t)
	_, _, err := run(t, plain(t, "kfunc_module-el.elf"))
	if err == nil || !strings.Contains(fmt.Sprintf("%+v", err), "BPF_LD_IMM64 uses reserved fields") {
		t.Errorf("upstream: got %+v. If the object works now, delete the refusal in leaveModule", err)
	}
}

// Objects that upstream refuses or gets wrong load with its loader after Fixup,
// read by the view or, where that accepts them, by upstream's reader.
func TestFixupLoads(t *testing.T) {
	k := needsKernel(t)
	viewed := func(t *testing.T, object string) *ebpf.CollectionSpec {
		_, spec := open(t, object)
		return spec
	}
	read := func(t *testing.T, object string) *ebpf.CollectionSpec { return plain(t, object) }
	both := []func(*testing.T, string) *ebpf.CollectionSpec{viewed, read}
	tests := []struct {
		object  string
		readers []func(*testing.T, string) *ebpf.CollectionSpec
		want    uint32
	}{
		{"flavor", both, 1},
		{"incompatible", both, 1},
		{"poison", both, 7},
		{"missing_variable", both[:1], 1},
		{"symbol", both[:1], 1},
		{"config_weak", both[:1], 1},
		{"config_cookie", both, 1},
		{"undeclared", both, 1},
		{"none", both, 2},
	}
	for _, test := range tests {
		object := "kfunc_" + test.object + "-el.elf"
		for i, reader := range test.readers {
			t.Run(fmt.Sprint(test.object, i), func(t *testing.T) {
				spec := reader(t, object)
				delete(spec.Programs, "reached")
				if err := Fixup(spec, k, elfOption(t, object)); err != nil {
					t.Fatal(err)
				}
				if got, _, err := run(t, spec.Copy()); err != nil || got != test.want {
					t.Errorf("got %d, %+v, want %d", got, err, test.want)
				}
			})
		}
	}
}

// Without the file, the binding is upstream's business.
func TestFixupWithoutFile(t *testing.T) {
	k := needsKernel(t)
	for object, want := range map[string]uint32{"flavor": 1, "incompatible": 1, "undeclared": 1, "config_cookie": 1} {
		t.Run(object, func(t *testing.T) {
			spec := plain(t, "kfunc_"+object+"-el.elf")
			if err := Fixup(spec, k, nil); err != nil {
				t.Fatal(err)
			}
			if got, _, err := run(t, spec); err != nil || got != want {
				t.Errorf("got %d, %+v, want %d", got, err, want)
			}
		})
	}
	t.Run("strong", func(t *testing.T) {
		spec := plain(t, "kfunc_strong-el.elf")
		if err := Fixup(spec, k, nil); err != nil {
			t.Fatal(err)
		}
		if _, _, err := run(t, spec); !errors.Is(err, ebpf.ErrNotSupported) {
			t.Errorf("got error %v, want upstream's ErrNotSupported for the strong kfunc", err)
		}
	})
}

// With the file, all that the kernel lacks is told at once.
func TestFixupStrong(t *testing.T) {
	_, spec := open(t, "kfunc_strong-el.elf")
	err := Fixup(spec, imaginaryRCU(t), elfOption(t, "kfunc_strong-el.elf"))
	const want = `extern "bpf_no_such_kfunc" (strong): not resolved: FUNC "bpf_no_such_kfunc": not found in kernel BTF: a newer kernel or a module that is not loaded may have it, or another object file that was not linked in
extern "bpf_rcu_read_lock": incompatible kfunc: the object declares "int *bpf_rcu_read_lock(int, void **)", the kernel has "void bpf_rcu_read_lock(void)": `
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got error %v", err)
	}
}

// The verifier's complaint about a call that is reached is translated.
func TestFixupReached(t *testing.T) {
	k := needsKernel(t)
	file, spec := open(t, "kfunc_poison-el.elf")
	externs, err := Externs(spec, file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Resolve(externs, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := Fixup(spec, k, elfOption(t, "kfunc_poison-el.elf")); err != nil {
		t.Fatal(err)
	}
	delete(spec.Programs, "prog")
	_, err = ebpf.NewCollection(spec)
	var ve *ebpf.VerifierError
	if !errors.As(err, &ve) {
		t.Fatalf("got %v, want a verifier error", err)
	}
	const want = `kfunc "bpf_no_such_kfunc" is called, but absent: FUNC "bpf_no_such_kfunc": not found in kernel BTF`
	if got, ok := r.Explain(ve.Log); !ok || got != want {
		t.Errorf("got %q from log %q", got, ve.Log)
	}
}

// A per-CPU variable with a type, where the kernel gives its address away.
func TestFixupVariable(t *testing.T) {
	k := needsKernel(t)
	_, spec := open(t, "kfunc_variable-el.elf")
	if err := Fixup(spec, k, elfOption(t, "kfunc_variable-el.elf")); errors.Is(err, btf.ErrNotFound) {
		t.Skip("kernel BTF without bpf_prog_active:", err)
	} else if err != nil {
		t.Fatal(err)
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil && strings.Contains(fmt.Sprintf("%+v", err), "failed to find the address for kernel symbol 'bpf_prog_active'") {
		t.Skip("kernel without CONFIG_KALLSYMS_ALL")
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	coll.Close()
}

// The values that the program reads are those of the running kernel.
func TestFixupConfig(t *testing.T) {
	k := needsKernel(t)
	_, spec := open(t, "kfunc_config-el.elf")
	opts := elfOption(t, "kfunc_config-el.elf")
	opts.Kconfig = strings.NewReader("CONFIG_HZ=4711\nCONFIG_DEFAULT_HOSTNAME=\"(none)\"\nCONFIG_BPF=y\n")
	opts.KernelConfig = strings.NewReader("CONFIG_HZ=1\nCONFIG_NET=m\nCONFIG_BPF_SYSCALL=y\n")
	opts.KernelVersion = 0x060c75
	if err := Fixup(spec, k, opts); err != nil {
		t.Fatal(err)
	}
	_, coll, err := run(t, spec)
	if err != nil {
		t.Fatalf("%+v", err)
	}

	type values struct {
		Version, Net, Missing, Virtual uint32
		HZ                             uint64
		Cookie, Syscall, BPF           uint8
		Hostname                       [5]byte
	}
	var got values
	for name, to := range map[string]any{
		"version": &got.Version, "net": &got.Net, "missing": &got.Missing, "virtual": &got.Virtual, "hz": &got.HZ,
		"cookie": &got.Cookie, "syscall": &got.Syscall, "bpf": &got.BPF, "hostname": &got.Hostname,
	} {
		if err := coll.Variables[name].Get(to); err != nil {
			t.Fatal(name, err)
		}
	}
	want := values{Version: 0x060c75, Net: 2, HZ: 4711, Cookie: 1, Syscall: 1, BPF: 'y', Hostname: [5]byte{'(', 'n', 'o', 'n', 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if m := coll.Maps[".kconfig"]; m == nil {
		t.Error("no map .kconfig")
	} else if err := m.Put(uint32(0), make([]byte, m.ValueSize())); err == nil {
		t.Error("map .kconfig is not frozen")
	}
}
