package kfunc

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

const kallsyms = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000010 t twice
ffffffff81000020 t twice
ffffffff81000030 t same
ffffffff81000030 t same
ffffffff81000040 d hashed.llvm.4711
ffffffff81000050 t code.llvm.4711
ffffffffc0000000 t mod_symbol	[testmod]
`

func typeless(name string, weak bool) Extern {
	return Extern{Name: name, Kind: Symbol, Weak: weak, Type: variable(name, &btf.Const{Type: &btf.Void{}})}
}

func TestResolveSymbol(t *testing.T) {
	const missing = `no symbol "%" in kallsyms (data symbols need CONFIG_KALLSYMS_ALL)`
	const hidden = `kallsyms: addresses are hidden, CAP_SYSLOG and sysctl kernel.kptr_restrict below 2 show them: `
	tests := []struct {
		name    string
		weak    bool
		text    io.Reader
		address uint64
		reason  string // of a weak one
		err     string
	}{
		{name: "_stext", address: 0xffffffff81000000},
		{name: "same", address: 0xffffffff81000030},
		{name: "hashed", address: 0xffffffff81000040},
		{name: "code", weak: true, reason: missing},
		{name: "mod_symbol", address: 0xffffffffc0000000},
		{name: "absent", weak: true, reason: missing},
		{name: "absent", err: `extern "absent" (strong): not resolved: ` + missing},
		{name: "twice", err: `extern "twice": address is ambiguous in kallsyms: 0xffffffff81000010 or 0xffffffff81000020`},
		{name: "twice", weak: true, err: `extern "twice": address is ambiguous in kallsyms: 0xffffffff81000010 or 0xffffffff81000020`},
		{name: "fixed_percpu_data", address: 0},
		{name: "x", text: strings.NewReader("0 D x\n0 T y\n"), weak: true, reason: hidden + ebpf.ErrRestrictedKernel.Error()},
		{name: "x", text: strings.NewReader("0 D x\n0 T y\n"), err: `extern "x": not resolved: ` + hidden + ebpf.ErrRestrictedKernel.Error()},
		{name: "x", text: strings.NewReader("0 D x\n1 T x\n"), err: `extern "x": address is ambiguous in kallsyms: 0x0 or 0x1`},
		{name: "x", text: strings.NewReader("1234 T\n"), err: "extern \"x\": not resolved: kallsyms: line 1: not of the form `address type name`"},
		{name: "x", text: strings.NewReader("1 T a\nxyz T x\n"), err: `extern "x": not resolved: kallsyms: line 2: strconv.ParseUint: parsing "xyz": invalid syntax`},
		{name: "x", text: iotest.ErrReader(io.ErrClosedPipe), err: `extern "x": not resolved: kallsyms: io: read/write on closed pipe`},
		{name: "x", text: iotest.ErrReader(io.ErrClosedPipe), weak: true, reason: `kallsyms: io: read/write on closed pipe`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.text == nil {
				test.text = strings.NewReader(kallsyms)
			}
			got, err := Resolve([]Extern{typeless(test.name, test.weak)}, imaginary(t, nil, nil), &Options{Kallsyms: test.text})
			if text, want := errorText(err), strings.ReplaceAll(test.err, "%", test.name); text != want {
				t.Fatalf("got error  %q\nwant %q", text, want)
			}
			if test.err != "" {
				return
			}
			want := &Resolution{Externs: []Resolved{{
				Name: test.name, Kind: Symbol, Weak: test.weak, Declared: "const void " + test.name,
				Address: test.address, Absent: test.reason != "", Reason: strings.ReplaceAll(test.reason, "%", test.name),
			}}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("resolution (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResolveSymbolErrors(t *testing.T) {
	resolve := func(text string) error {
		_, err := Resolve([]Extern{typeless("x", false)}, imaginary(t, nil, nil), &Options{Kallsyms: strings.NewReader(text)})
		return err
	}
	if err := resolve(kallsyms); !errors.Is(err, btf.ErrNotFound) || !errors.Is(err, ebpf.ErrNotSupported) {
		t.Errorf("missing symbol: %v: neither ErrNotFound nor ErrNotSupported", err)
	}
	if err := resolve("0 T x\n"); !errors.Is(err, ebpf.ErrRestrictedKernel) {
		t.Errorf("hidden symbol: %v: not ErrRestrictedKernel", err)
	}
}

// A symbol that the object has no BTF for is a variable if kernel BTF has one.
func TestResolveUntyped(t *testing.T) {
	k := imaginary(t, []btf.Type{variable("per_cpu", signedInt)}, nil)
	got, err := Resolve([]Extern{
		{Name: "_stext", Kind: Symbol},
		{Name: "absent", Kind: Symbol, Weak: true},
		{Name: "per_cpu", Kind: Symbol},
	}, k, &Options{Kallsyms: strings.NewReader(kallsyms)})
	if err != nil {
		t.Fatal(err)
	}
	want := []Resolved{
		{Name: "_stext", Kind: Symbol, Address: 0xffffffff81000000},
		{Name: "absent", Kind: Symbol, Weak: true, Absent: true, Reason: `no symbol "absent" in kallsyms (data symbols need CONFIG_KALLSYMS_ALL)`},
		{Name: "per_cpu", Kind: Variable, Kernel: "int per_cpu", Ref: got.Externs[2].Ref},
	}
	if diff := cmp.Diff(want, got.Externs); diff != "" {
		t.Errorf("externs (-want +got):\n%s", diff)
	}
	if got.Externs[2].Ref.ID == 0 {
		t.Error("the variable has no BTF ID")
	}
}

func FuzzKallsyms(f *testing.F) {
	f.Add([]byte(kallsyms))
	f.Add([]byte("0 d x.llvm.\n1 d .llvm.1\n"))
	f.Add([]byte("ffffffffffffffffff T x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		names := []string{"x", "same", "hashed", "_stext"}
		addresses := make(map[string]address)
		for _, name := range names {
			addresses[name] = address{}
		}
		hidden, err := findAddresses(bytes.NewReader(text), addresses)
		if len(addresses) != len(names) {
			t.Errorf("%d names, want %d", len(addresses), len(names))
		}
		for name, a := range addresses {
			if a.ambiguous && a.value == a.other {
				t.Errorf("%q: %+v is not ambiguous", name, a)
			}
			if a.found && !bytes.Contains(text, []byte(name)) {
				t.Errorf("%q: address of a name that is not listed", name)
			}
			if err == nil && hidden && a.value != 0 {
				t.Errorf("%q: %#x is hidden", name, a.value)
			}
		}
	})
}
