package kfunc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"

	"github.com/ebpfx/ebpfx/btfx"
)

var (
	boolType     = &btf.Int{Name: "_Bool", Size: 1, Encoding: btf.Bool}
	charType     = &btf.Int{Name: "char", Size: 1, Encoding: btf.Signed}
	shortType    = &btf.Int{Name: "short", Size: 2, Encoding: btf.Signed}
	u16Type      = &btf.Typedef{Name: "u16", Type: &btf.Int{Name: "unsigned short", Size: 2}}
	u32Type      = &btf.Int{Name: "unsigned int", Size: 4}
	longType     = &btf.Int{Name: "long", Size: 8, Encoding: btf.Signed}
	u64Type      = &btf.Int{Name: "unsigned long", Size: 8}
	tristateType = &btf.Enum{Name: "libbpf_tristate", Size: 4, Values: []btf.EnumValue{{Name: "TRI_NO"}}}
	stringType   = &btf.Array{Type: charType, Index: u32Type, Nelems: 4}
)

func config(name string, weak bool, typ btf.Type) Extern {
	return Extern{Name: name, Kind: Config, Weak: weak, Type: variable(name, typ)}
}

func TestConfigValue(t *testing.T) {
	u16 := func(v uint16) []byte { return binary.NativeEndian.AppendUint16(nil, v) }
	u32 := func(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
	u64 := func(v uint64) []byte { return binary.NativeEndian.AppendUint64(nil, v) }
	tests := []struct {
		text string
		typ  btf.Type
		want []byte
		err  string
	}{
		{"y", boolType, []byte{1}, ""},
		{"n", boolType, []byte{0}, ""},
		{"m", boolType, nil, "value m does not fit a bool, declare an enum libbpf_tristate"},
		{"1", boolType, nil, "value 1 is a number, declared as bool"},
		{"n", tristateType, u32(0), ""},
		{"y", tristateType, u32(1), ""},
		{"m", &btf.Const{Type: tristateType}, u32(2), ""},
		{"1", tristateType, nil, "value 1 is a number, declared as tristate"},
		{"y", charType, []byte{'y'}, ""},
		{"m", charType, []byte{'m'}, ""},
		{"127", charType, []byte{127}, ""},
		{"-128", charType, []byte{0x80}, ""},
		{"128", charType, nil, "value 128 does not fit 1 bytes, signed"},
		{"-32768", shortType, u16(0x8000), ""},
		{"-32769", shortType, nil, "value -32769 does not fit 2 bytes, signed"},
		{"0xffff", u16Type, u16(0xffff), ""},
		{"65536", u16Type, nil, "value 65536 does not fit 2 bytes, unsigned"},
		{"-1", u32Type, nil, "value 18446744073709551615 does not fit 4 bytes, unsigned"},
		{"250", signedInt, u32(250), ""},
		{"010", signedInt, u32(8), ""},
		{"-1", longType, u64(math.MaxUint64), ""},
		{"18446744073709551615", longType, u64(math.MaxUint64), ""},
		{"18446744073709551615", u64Type, u64(math.MaxUint64), ""},
		{"18446744073709551616", u64Type, nil, `value "18446744073709551616" is neither y, n, m, a string nor a number`},
		{"yes", signedInt, nil, `value "yes" is neither y, n, m, a string nor a number`},
		{"y", signedInt, nil, "value y fits bool, char and tristate, declared as int"},
		{`"abc"`, stringType, []byte("abc\x00"), ""},
		{`""`, stringType, []byte("\x00\x00\x00\x00"), ""},
		{`"abcd"`, stringType, []byte("abc\x00"), ""},
		{`"ab"c"`, stringType, []byte("ab\"\x00"), ""},
		{`"abc`, stringType, nil, `string "abc does not end in a quotation mark`},
		{`"`, stringType, nil, `string " does not end in a quotation mark`},
		{"1", stringType, nil, "value 1 is a number, declared as char array"},
		{`"a"`, charType, nil, `value "a" is a string, declared as char`},
		{"y", &btf.Int{Name: "bool4", Size: 4, Encoding: btf.Bool}, nil, `"bool4 CONFIG_X" is no type of a kconfig value (bool, char, int, enum libbpf_tristate, char[]): not supported`},
		{"1", &btf.Int{Name: "__int128", Size: 16}, nil, `"__int128 CONFIG_X" is no type of a kconfig value (bool, char, int, enum libbpf_tristate, char[]): not supported`},
		{"1", &btf.Enum{Name: "e", Size: 4}, nil, `"enum e CONFIG_X" is no type of a kconfig value (bool, char, int, enum libbpf_tristate, char[]): not supported`},
		{`"a"`, &btf.Array{Type: charType}, nil, `"char CONFIG_X[0]" is no type of a kconfig value (bool, char, int, enum libbpf_tristate, char[]): not supported`},
		{`"a"`, &btf.Array{Type: charType, Nelems: math.MaxUint32}, nil, "4294967295 bytes at offset 0 of .kconfig, which may have 1048576"},
	}
	for _, test := range tests {
		t.Run(test.text+" "+prototype(variable("x", test.typ)), func(t *testing.T) {
			text := strings.NewReader("CONFIG_X=" + test.text + "\n")
			got, err := Resolve([]Extern{config("CONFIG_X", false, test.typ)}, imaginary(t, nil, nil), &Options{KernelConfig: text})
			if test.err != "" {
				if want := `extern "CONFIG_X": ` + test.err; errorText(err) != want {
					t.Fatalf("got error  %v\nwant %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.Kconfig); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
		})
	}
}

// Largest alignment first, then smallest size, then by name.
func TestConfigLayout(t *testing.T) {
	got, err := Resolve([]Extern{
		config("CONFIG_A", true, stringType),
		config("CONFIG_B", true, charType),
		config("CONFIG_C", true, shortType),
		config("CONFIG_D", true, u64Type),
		config("CONFIG_E", true, u32Type),
		config("CONFIG_F", true, boolType),
		config("CONFIG_G", true, u64Type),
		config("CONFIG_H", true, &btf.Array{Type: charType, Nelems: 3}),
	}, imaginary(t, nil, nil), &Options{KernelConfig: strings.NewReader("")})
	if err != nil {
		t.Fatal(err)
	}
	offsets := make(map[string]uint32)
	for _, x := range got.Externs {
		offsets[x.Name] = x.Offset
		if !x.Absent || x.Reason != "not set in the kernel's configuration" {
			t.Errorf("%s: absent %v, reason %q", x.Name, x.Absent, x.Reason)
		}
	}
	want := map[string]uint32{
		"CONFIG_D": 0, "CONFIG_G": 8, "CONFIG_E": 16, "CONFIG_C": 20,
		"CONFIG_B": 22, "CONFIG_F": 23, "CONFIG_H": 24, "CONFIG_A": 27,
	}
	if diff := cmp.Diff(want, offsets); diff != "" {
		t.Errorf("offsets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(make([]byte, 31), got.Kconfig); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
}

func TestConfigVirtual(t *testing.T) {
	old := imaginary(t, []btf.Type{function("f", &btf.Void{})}, nil)
	cookie := imaginary(t, []btf.Type{function("bpf_get_attach_cookie_trace", u64Type)}, nil)
	wrapper := imaginary(t, []btf.Type{function("__arm64_sys_bpf", longType)}, nil)

	tests := []struct {
		extern Extern
		want   [3]byte // on the three kernels
		err    string
	}{
		{config("LINUX_HAS_BPF_COOKIE", false, boolType), [3]byte{0, 1, 0}, ""},
		{config("LINUX_HAS_SYSCALL_WRAPPER", false, charType), [3]byte{0, 0, 1}, ""},
		{config("LINUX_KERNEL_VERSION", false, boolType), [3]byte{}, `extern "LINUX_KERNEL_VERSION": value 396288 does not fit a bool`},
		{config("LINUX_KERNEL_VERSION", true, charType), [3]byte{}, `extern "LINUX_KERNEL_VERSION": value 396288 does not fit 1 bytes, signed`},
		{config("LINUX_OTHER", true, boolType), [3]byte{}, ""},
		{config("LINUX_OTHER", false, boolType), [3]byte{}, `extern "LINUX_OTHER" (strong): not resolved: unknown virtual kconfig value`},
		{config("OTHER", true, boolType), [3]byte{}, `extern "OTHER": unknown kconfig value, expected CONFIG_* or LINUX_*: not supported`},
	}
	for _, test := range tests {
		t.Run(test.extern.Name, func(t *testing.T) {
			for i, k := range []*btfx.Kernel{old, cookie, wrapper} {
				got, err := Resolve([]Extern{test.extern}, k, &Options{KernelVersion: 0x060c00})
				if text := errorText(err); text != test.err {
					t.Fatalf("got error  %q\nwant %q", text, test.err)
				}
				if err == nil && !bytes.Equal(got.Kconfig, test.want[i:i+1]) {
					t.Errorf("kernel %d: got %v, want %d", i, got.Kconfig, test.want[i])
				}
			}
		})
	}

	got, err := Resolve([]Extern{config("LINUX_KERNEL_VERSION", false, u32Type)}, old, &Options{KernelVersion: 0x060c75})
	if err != nil {
		t.Fatal(err)
	}
	if version := binary.NativeEndian.Uint32(got.Kconfig); version != 0x060c75 {
		t.Errorf("version %#x, want 0x060c75", version)
	}
}

// A value without a type has neither size nor form.
func TestConfigUntyped(t *testing.T) {
	_, err := Resolve([]Extern{{Name: "CONFIG_X", Kind: Config, Weak: true}}, imaginary(t, nil, nil), nil)
	if !errors.Is(err, ebpf.ErrNotSupported) {
		t.Errorf("got error %v, want ErrNotSupported", err)
	}
}
