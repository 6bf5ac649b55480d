package structops

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/ebpfx/ebpfx/btfx"
	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// rustObject opens testdata/rust/NAME.
func rustObject(t testing.TB, name string) *Object {
	t.Helper()
	obj, err := openFile(golden("rust/" + name))
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

// variants runs a test for the object that rustc makes, and for what becomes of
// it in bpf-linker.
func variants(t *testing.T, name string, test func(*testing.T, string)) {
	t.Helper()
	for _, variant := range []string{"plain", "linked"} {
		t.Run(variant, func(t *testing.T) { test(t, name+"-"+variant+".o") })
	}
}

// transfer sends bytes over a loopback connection with a congestion control.
func transfer(t testing.TB, congestion string, size int) {
	t.Helper()
	control := func(_, _ string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion)
		}); cerr != nil {
			return cerr
		}
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()

	received := make(chan int64, 1)
	go func() {
		c, err := listener.Accept()
		if err != nil {
			received <- -1
			return
		}
		defer c.Close()
		n, _ := io.Copy(io.Discard, c)
		received <- n
	}()
	dialer := net.Dialer{Timeout: 10 * time.Second, Control: control}
	c, err := dialer.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Write(make([]byte, size))
	c.Close()
	if n := <-received; err != nil || n != int64(size) {
		t.Errorf("received %d bytes of %d, %v", n, size, err)
	}
}

// counter reads a variable of 8 bytes.
func counter(t testing.TB, coll *Collection, name string) (n uint64) {
	t.Helper()
	if err := coll.Variables[name].Get(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// opsName returns the name of the only mandatory map of an object.
func opsName(t testing.TB, obj *Object) string {
	t.Helper()
	names := obj.opsNames()
	if len(names) != 1 {
		t.Fatalf("maps %q, want one", names)
	}
	return names[0]
}

// TestRustTCP moves 8 MiB with each congestion control and reads the counts of
// its callbacks back.
func TestRustTCP(t *testing.T) {
	needLinks(t)
	for _, test := range []struct{ object, counter string }{
		{"tcp_kfuncs", "AVOIDED"}, {"tcp_weak", "AVOIDED"}, {"tcp_unexported", "AVOIDED"},
		{"tcp_members", "AVOIDED"}, {"tcp_types", "AVOIDED"}, {"trap", "AVOIDED"},
		{"tcp_units", "AVOIDED"}, {"tcp_units", "EQUAL"},
	} {
		variants(t, test.object, func(t *testing.T, name string) {
			obj := rustObject(t, name)
			ops := opsName(t, obj)
			congestion, err := As[[16]byte](obj.Ops[ops], "name")
			if err != nil {
				t.Fatal(err)
			}
			coll := mustLoad(t, obj, nil)
			mustAttach(t, coll, ops)
			transfer(t, strings.TrimRight(string(congestion[:]), "\x00"), 8<<20)
			if n := counter(t, coll, test.counter); n == 0 {
				t.Error("cong_avoid was not called")
			}
			if v := coll.Variables["FUTURE"]; v != nil && counter(t, coll, "FUTURE") != 0 {
				t.Error("a weak extern that the kernel lacks was called")
			}
		})
	}
	t.Run("future", func(t *testing.T) {
		coll := mustLoad(t, rustObject(t, "tcp_kfuncs-future.o"), nil)
		mustAttach(t, coll, "rust_kfuncs")
		transfer(t, "rust_kfuncs", 8<<20)
		if counter(t, coll, "AVOIDED") == 0 {
			t.Error("cong_avoid was not called")
		}
	})
}

// TestRustSeveral: each map has the programs that the source gives it.
func TestRustSeveral(t *testing.T) {
	needLinks(t)
	variants(t, "tcp_several", func(t *testing.T, name string) {
		obj := rustObject(t, name)
		sections := make(map[string]string)
		for name, ops := range obj.Ops {
			sections[name] = ops.Section
		}
		if diff := cmp.Diff(map[string]string{
			"rust_first": ".struct_ops.link", "rust_second": ".struct_ops.link", "rust_legacy": ".struct_ops",
			"rust_optional": "?.struct_ops.link", "rust_dormant": "?.struct_ops",
		}, sections); diff != "" {
			t.Errorf("sections (-want +got):\n%s", diff)
		}

		coll := mustLoad(t, obj, nil)
		for _, ops := range []string{"rust_first", "rust_second"} {
			mustAttach(t, coll, ops)
			want := map[string]string{"ssthresh": "both_ssthresh", "undo_cwnd": "both_undo_cwnd", "cong_avoid": strings.TrimPrefix(ops, "rust_") + "_cong_avoid"}
			if diff := cmp.Diff(want, programsIn(t, coll, ops)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", ops, diff)
			}
		}
		transfer(t, "rust_second", 1<<20)
		if first, second := counter(t, coll, "FIRST"), counter(t, coll, "SECOND"); first != 0 || second == 0 {
			t.Errorf("callback of the first map was called %d times, of the second %d", first, second)
		}
		if coll.Maps["rust_optional"] != nil || coll.Maps["rust_dormant"] != nil {
			t.Error("an optional map was created")
		}
		for name, flag := range map[string]bool{"rust_first": true, "rust_legacy": false} {
			if info, err := coll.Maps[name].Info(); err != nil || info.Flags&sys.FlagLink != 0 != flag {
				t.Errorf("map %q: flags %#x, %v; BPF_F_LINK belongs to sections with .link", name, info.Flags, err)
			}
		}
	})
}

// counts is what the subprograms of tcp_subprograms.rs did.
type counts struct{ Exported, Public, Private, Method, Generic, Closure, Cold, Looped uint64 }

// TestRustSubprograms: static by default, and each call and each address leads to
// the function that was named.
func TestRustSubprograms(t *testing.T) {
	needLinks(t)
	variants(t, "tcp_subprograms", func(t *testing.T, name string) {
		coll := mustLoad(t, rustObject(t, name), nil)
		mustAttach(t, coll, "rust_subprogs")
		transfer(t, "rust_subprogs", 8<<20)

		var got counts
		if err := coll.Variables["COUNTS"].Get(&got); err != nil {
			t.Fatal(err)
		}
		n := got.Exported
		if want := (counts{n, n, n, got.Method, 2 * n, n, 0, 5 * n}); n == 0 || got != want {
			t.Errorf("calls %+v, want %+v", got, want)
		}

		obj := rustObject(t, name)
		obj.Static = nil
		_, err := obj.Load(nil)
		wantError(t, err, nil, "callback function not static")
		obj.Static = &btfx.StaticOptions{Except: []string{"looped"}}
		_, err = obj.Load(nil)
		wantError(t, err, nil, "callback function not static")
		obj.Static = &btfx.StaticOptions{Only: []string{"no_such_function"}}
		_, err = obj.Load(nil)
		wantError(t, err, nil, `static functions: function "no_such_function"`)
	})
}

// TestRustStaticDefault: only struct_ops objects from Rust, never others.
func TestRustStaticDefault(t *testing.T) {
	for name, want := range map[string]bool{
		"rust/tcp_kfuncs-plain.o": true, "rust/callback-plain.o": false,
		"structops_subprog-el.elf": false, "structops_two-eb.elf": false,
	} {
		obj, err := openFile(golden(name))
		if err != nil {
			t.Fatal(err)
		}
		if got := obj.Static != nil; got != want {
			t.Errorf("%s: static by default: %v, want %v", name, got, want)
		}
		if cpy := obj.Copy(); want && (cpy.Static == nil || cpy.Static == obj.Static) {
			t.Errorf("%s: a copy has the policy %v", name, cpy.Static)
		}
	}
}

// TestRustCallback: the address of a function that is not the first of its
// section. Plain upstream refuses it, and once the function is static it calls
// another one.
func TestRustCallback(t *testing.T) {
	needKernel(t)
	variants(t, "callback", func(t *testing.T, name string) {
		hits := func(coll map[string]*ebpf.Program, vars map[string]*ebpf.Variable) (n uint64) {
			if _, err := coll["callback"].Run(&ebpf.RunOptions{Data: make([]byte, 64)}); err != nil {
				t.Fatal(err)
			}
			if err := vars["HITS"].Get(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		obj := rustObject(t, name)
		_, err := obj.Load(nil)
		wantError(t, err, nil, "callback function not static")
		obj.Static = new(btfx.StaticOptions)
		coll := mustLoad(t, obj, nil)
		if n := hits(coll.Programs, coll.Variables); n != 1000 {
			t.Errorf("HITS %d, want 1000", n)
		}

		spec, err := ebpf.LoadCollectionSpec(golden("rust/" + name))
		if err != nil {
			t.Fatal(err)
		}
		if err := btfx.MarkStatic(spec, nil); err == nil || !strings.Contains(err.Error(), "another function may be meant") {
			t.Errorf("the functions of upstream's spec are static now, %v", err)
		}
		if err := btfx.MarkStatic(spec, &btfx.StaticOptions{FromFile: true}); err != nil { // which is not so
			t.Fatal(err)
		}
		wrong, err := ebpf.NewCollection(spec)
		if name == "callback-plain.o" {
			wantError(t, err, nil, "Invalid arg#1") // its panic handler has an unnamed parameter
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		defer wrong.Close()
		if n := hits(wrong.Programs, wrong.Variables); n != 10 {
			t.Errorf("upstream calls the right function (HITS %d): showFunctionReference no longer needs to name functions by their section", n)
		}
	})
}

// TestRustMaps: legacy maps, BTF maps, special fields and kptrs.
func TestRustMaps(t *testing.T) {
	needKernel(t)
	run := func(t *testing.T, prog *ebpf.Program, opts *ebpf.RunOptions) {
		if ret, err := prog.Run(opts); err != nil || ret != 0 {
			t.Errorf("%v returns %d, %v", prog, ret, err)
		}
	}
	variants(t, "maps", func(t *testing.T, name string) {
		coll := mustLoad(t, rustObject(t, name), nil)
		run(t, coll.Programs["count"], &ebpf.RunOptions{Data: make([]byte, 64)})
		var legacy uint64
		if err := coll.Maps["LEGACY"].Lookup(uint32(1), &legacy); err != nil || legacy != 1 {
			t.Errorf("LEGACY[1] = %d, %v", legacy, err)
		}
		var option struct{ Tag, Value uint64 }
		if err := coll.Maps["BTF"].Lookup(uint32(5), &option); err != nil || option.Tag != 1 || option.Value != 1 {
			t.Errorf("BTF[5] = %+v, %v", option, err)
		}
	})
	variants(t, "special", func(t *testing.T, name string) {
		k, err := btfx.LoadKernel()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Find(btfx.KindFunc, "bpf_task_acquire"); errors.Is(err, btf.ErrNotFound) {
			t.Skip("needs Linux 6.2: this kernel has no kfunc bpf_task_acquire")
		}
		coll := mustLoad(t, rustObject(t, name), nil)
		run(t, coll.Programs["locked"], &ebpf.RunOptions{Data: make([]byte, 64)})
		run(t, coll.Programs["timed"], &ebpf.RunOptions{Data: make([]byte, 64)})
		run(t, coll.Programs["held"], &ebpf.RunOptions{})
		run(t, coll.Programs["held"], &ebpf.RunOptions{})
		if n := counter(t, coll, "EXCHANGED"); n != 1 {
			t.Errorf("the kptr was exchanged for another %d times, want 1", n)
		}
	})
}

// TestRustSymbols: extern statics.
func TestRustSymbols(t *testing.T) {
	needKernel(t)
	kallsyms, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`(?m)^([0-9a-f]+) . _stext$`).FindSubmatch(kallsyms)
	if match == nil {
		t.Fatal("kallsyms has no _stext")
	}
	variants(t, "ksyms_symbols", func(t *testing.T, name string) {
		coll := mustLoad(t, rustObject(t, name), nil)
		if _, err := coll.Programs["symbols"].Run(&ebpf.RunOptions{Data: make([]byte, 64)}); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%016x", counter(t, coll, "STEXT")); got != string(match[1]) {
			t.Errorf("_stext is at %s, kallsyms has %s", got, match[1])
		}
		if n := counter(t, coll, "ABSENT"); n != 0 {
			t.Errorf("weak symbol is %#x, want 0", n)
		}
	})
	variants(t, "ksyms_missing", func(t *testing.T, name string) {
		_, err := rustObject(t, name).Load(nil)
		wantError(t, err, ebpf.ErrNotSupported, `extern "no_such_symbol" (strong): not resolved`, `extern "no_such_symbol_either" (strong): not resolved`)
	})
	variants(t, "ksyms_variable", func(t *testing.T, name string) {
		if !bytes.Contains(kallsyms, []byte(" bpf_prog_active\n")) {
			t.Skip("kernel without CONFIG_KALLSYMS_ALL")
		}
		coll := mustLoad(t, rustObject(t, name), nil)
		if got := coll.Externs.Externs; len(got) != 1 || !strings.Contains(got[0].Kernel, "int bpf_prog_active") {
			t.Errorf("externs %+v, want a typed variable", got)
		}
	})
	variants(t, "ksyms_module", func(t *testing.T, name string) {
		if _, err := os.Stat("/sys/kernel/btf/bpf_testmod"); err != nil {
			t.Skip("needs the module bpf_testmod")
		}
		coll := mustLoad(t, rustObject(t, name), nil)
		if _, err := coll.Programs["module"].Run(&ebpf.RunOptions{Data: make([]byte, 64)}); err != nil {
			t.Fatal(err)
		}
		if n := counter(t, coll, "CALLED"); n != 1 {
			t.Errorf("kfunc of the module was called %d times through its flavor, want 1", n)
		}
	})
}

// TestRustRefused: what no loader can load, and what to do about it.
func TestRustRefused(t *testing.T) {
	needKernel(t)
	for object, want := range map[string][]string{
		"no_strlen-plain.o":   {`"strlen" is a kernel function, but no kfunc that programs of this type may call`, "link compiler_builtins"},
		"no_strlen-linked.o":  {"link compiler_builtins"},
		"no_panic-plain.o":    {"panic_bounds_check", "a Rust function of another crate, link it in or avoid code that may panic"},
		"no_panic-linked.o":   {"avoid code that may panic"},
		"tcp_nodebug-plain.o": {`section ".struct_ops.link"`, "-C debuginfo=2", "--btf"},
	} {
		obj, err := openFile(golden("rust/" + object))
		if err == nil {
			_, err = obj.Load(nil)
		}
		wantError(t, err, nil, want...)
	}
}

// TestRustMisleadingLine: what the verifier says about every global program
// without a result is not in the log of a program that fails for another reason.
func TestRustMisleadingLine(t *testing.T) {
	needLinks(t)
	variants(t, "tcp_subprograms", func(t *testing.T, name string) {
		obj := rustObject(t, name)
		obj.Static = &btfx.StaticOptions{Except: []string{"looped"}}
		_, err := obj.Load(nil)
		var verifier *ebpf.VerifierError
		if !errors.As(err, &verifier) {
			t.Fatalf("%v is no VerifierError", err)
		}
		if log := strings.Join(verifier.Log, "\n"); strings.Contains(log, "sub_cong_avoid() doesn't return scalar") {
			t.Errorf("log:\n%s", log)
		}
	})
}

func TestReadable(t *testing.T) {
	obj := rustObject(t, "tcp_subprograms-linked.o")
	l := &loader{obj: obj}
	p := &program{spec: obj.Spec.Programs["sub_cong_avoid"]}
	got := l.readable(p, []string{
		"Global function sub_cong_avoid() doesn't return scalar. Only those are supported.",
		"Global function exported() doesn't return scalar. Only those are supported.",
		"caller passes invalid args into func#1 ('generic_3C_u64_3E_')",
	})
	want := []string{
		"Global function exported() doesn't return scalar. Only those are supported.",
		"caller passes invalid args into func#1 ('generic<u64>')",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// TestRustKinds: the kernel's kind by name and size, for Rust alone.
func TestRustKinds(t *testing.T) {
	obj := rustObject(t, "tcp_members-plain.o")
	ops := tcpOps()
	ops.Members = append(ops.Members, btf.Member{Name: "key", Type: tU32, Offset: btf.Bits(ops.Size * 8)})
	ops.Size += 8
	k := imaginaryKernel(t, ops, valueType(ops))
	plan, err := obj.Resolve(k)
	if err != nil {
		t.Fatal(err)
	}
	m := plan.Maps[0]
	flags := slices.IndexFunc(ops.Members, func(m btf.Member) bool { return m.Name == "flags" })
	if got := m.Value[m.DataOffset+ops.Members[flags].Offset.Bytes()]; got != 1 {
		t.Errorf("flags is %d, want 1", got)
	}
	if len(plan.Mismatches) != 0 {
		t.Errorf("prototypes of Rust say nothing: %v", plan.Mismatches)
	}

	for member, edit := range map[string]struct {
		path  string
		value any
		want  string
	}{
		"pointer": {"owner", uint64(1), `member "owner": non-zero, kernel has a pointer`},
		"future":  {"level_of_the_future", uint8(1), `member "level_of_the_future": kernel's struct tcp_congestion_ops (vmlinux) has no such member, and its value is not zero`},
	} {
		cpy := obj.Copy()
		if err := cpy.Ops["rust_members"].Set(edit.path, edit.value); err != nil {
			t.Fatal(member, err)
		}
		_, err := cpy.Resolve(k)
		wantError(t, err, ebpf.ErrNotSupported, edit.want)
	}

	small := tcpOps()
	small.Members[slices.IndexFunc(small.Members, func(m btf.Member) bool { return m.Name == "flags" })].Type = &btf.Int{Name: "char", Size: 1}
	_, err = obj.Resolve(imaginaryKernel(t, small, valueType(small)))
	wantError(t, err, ebpf.ErrNotSupported, `member "flags": is ENUM of 4 bytes, kernel has INT of 1`)
}

// TestCanaryRust shows plain upstream failing. When it no longer does, the
// message says what can go.
func TestCanaryRust(t *testing.T) {
	needLinks(t)
	for _, test := range []struct{ object, text, obsolete string }{
		{"tcp_kfuncs-plain.o", `STRUCT Option<unsafe extern "C" fn(*const u64) -> u32> size=8 vlen=1 Invalid name`, "btfx.LegalName"},
		{"tcp_kfuncs-linked.o", `": unsatisfied program reference`, "externs without BTF in package kfunc"},
		{"tcp_members-plain.o", "Invalid member bits_offset", "sortMembers"},
		{"tcp_nodebug-plain.o", "load struct_ops: struct_ops section .struct_ops.link: missing BTF", "the remedy in the error of readOps"},
		{"tcp_several-plain.o", `got '.struct_ops' section: not supported`, "the sections that the view hides"},
		{"tcp_unexported-linked.o", "load struct_ops: program  not found", "wiring by section and offset"},
		{"tcp_types-linked.o", "unrecognized field __0 in BTF map definition", "unwrapVariables"},
		{"callback-plain.o", "FUNC panic type_id=14 Invalid arg#1", "nameParameters"},
		{"callback-linked.o", "callback function not static", "btfx.MarkStatic"},
		{"no_panic-plain.o", "unsatisfied program reference", "the hint about functions of other crates"},
		{"special-plain.o", "unrecognized field __0 in BTF map definition", "unwrapVariables"},
		{"ksyms_module-plain.o", `symbol "bpf_testmod_test_mod_kfunc": unsatisfied program reference`, "externs without BTF in package kfunc"},
	} {
		t.Run(test.object, func(t *testing.T) {
			err := loadUpstream(golden("rust/" + test.object))
			if err == nil {
				t.Fatalf("upstream loads this object by itself: we no longer need %s", test.obsolete)
			}
			if !strings.Contains(fmt.Sprintf("%+v", err), test.text) {
				t.Errorf("upstream says:\n%+v\nwant:\n%s", err, test.text)
			}
		})
	}
	t.Run("ksyms_missing-plain.o", func(t *testing.T) {
		if err := loadUpstream(golden("rust/ksyms_missing-plain.o")); err != nil {
			t.Errorf("upstream no longer loads 0 for an extern that nothing has (%v): we no longer need the check of undefined symbols in kfunc.Resolution.Apply", err)
		}
	})
}

func loadUpstream(path string) error {
	spec, err := ebpf.LoadCollectionSpec(path)
	if err != nil {
		return err
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return err
	}
	coll.Close()
	return nil
}

// TestRustObjects: no object is left out of the tests.
func TestRustObjects(t *testing.T) {
	tested := map[string]bool{
		"tcp_kfuncs": true, "tcp_weak": true, "tcp_unexported": true, "tcp_members": true, "tcp_units": true, "tcp_types": true, "trap": true,
		"tcp_several": true, "tcp_subprograms": true, "callback": true, "maps": true, "special": true,
		"ksyms_symbols": true, "ksyms_missing": true, "ksyms_variable": true, "ksyms_module": true,
		"no_strlen": true, "no_panic": true, "tcp_nodebug": true, "sched_fifo": true,
	}
	names, err := filepath.Glob(golden("rust/*.o"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		base := filepath.Base(name)
		if base = base[:strings.LastIndexByte(base, '-')]; !tested[base] {
			t.Errorf("%s has no test", base)
		}
	}
}

// TestRustScheduler lets the scheduler run a mixed load: threads that compute,
// that sleep, and that wake each other up. It is in charge all the time, and
// says at the end that it was detached. EBPFX_SCX_TIME sets how long.
func TestRustScheduler(t *testing.T) {
	needKernel(t)
	const state = "/sys/kernel/sched_ext/state"
	if _, err := os.Stat(state); err != nil {
		t.Skip("needs Linux 6.12 with CONFIG_SCHED_CLASS_EXT")
	}
	if os.Getenv("EBPFX_VM") == "" {
		t.Skip("needs the virtual machine")
	}
	duration := 5 * time.Second
	if text := os.Getenv("EBPFX_SCX_TIME"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}

	variants(t, "sched_fifo", func(t *testing.T, name string) {
		coll := mustLoad(t, rustObject(t, name), nil)
		lnk, err := coll.Attach("rust_fifo")
		if err != nil {
			t.Fatal(err)
		}
		defer lnk.Close()

		stop := mixedLoad()
		end, samples := time.Now().Add(duration), 0
		for ; time.Now().Before(end); samples++ {
			time.Sleep(100 * time.Millisecond)
			if got, err := os.ReadFile(state); err != nil || string(got) != "enabled\n" {
				t.Fatalf("after %v the state is %q, %v", duration-time.Until(end), got, err)
			}
		}
		stop()
		queued := counter(t, coll, "QUEUED")
		if err := lnk.Close(); err != nil {
			t.Fatal(err)
		}

		var kind int32
		for range 100 {
			if err := coll.Variables["EXIT_KIND"].Get(&kind); err != nil {
				t.Fatal(err)
			}
			if kind != 0 {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		const unregistered = 64 // SCX_EXIT_UNREG: by user space
		if kind != unregistered || queued == 0 {
			t.Errorf("exit kind %d, want %d; %d tasks queued", kind, unregistered, queued)
		}
		t.Logf("%v, enabled at %d times, %d tasks queued, exit kind %d", duration, samples, queued, kind)
	})
}

// mixedLoad keeps all CPUs busy until stop is called.
func mixedLoad() (stop func()) {
	done := make(chan struct{})
	ping, pong := make(chan struct{}), make(chan struct{})
	var threads sync.WaitGroup
	start := func(work func()) {
		threads.Go(func() {
			runtime.LockOSThread()
			for {
				select {
				case <-done:
					return
				default:
					work()
				}
			}
		})
	}
	for range 2 * runtime.NumCPU() {
		start(func() {
			for n := 0; n < 1e6; n++ {
			}
		})
		start(func() { time.Sleep(time.Millisecond) })
	}
	start(func() {
		select {
		case ping <- struct{}{}:
		case <-done:
		}
		select {
		case <-pong:
		case <-done:
		}
	})
	start(func() {
		select {
		case <-ping:
		case <-done:
		}
		select {
		case pong <- struct{}{}:
		case <-done:
		}
	})
	return func() { close(done); threads.Wait() }
}
