package btfx

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

func TestLegalName(t *testing.T) {
	long := strings.Repeat("a", 128)
	for name, want := range map[string]string{
		"":                "",
		"sock":            "sock",
		"__0":             "__0",
		"0":               "_0",
		"Option<u32>":     "Option_3C_u32_3E_",
		"(u32, u8)":       "_28_u32_2C__20_u8_29_",
		"{closure_env#0}": "_7B_closure_env_23_0_7D_",
		"é":               "_C3__A9_",
		"\x01":            "_1_",
		long[:127]:        long[:127],
	} {
		got := LegalName(name)
		if len(got) > maxName || LegalName(got) != got {
			t.Errorf("%q: %q is too long, or another name again", name, got)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	cut := LegalName(long)
	if len(cut) != maxName || cut[:110] != long[:110] || LegalName(cut) != cut || LegalName(long+"a") == cut {
		t.Errorf("128 bytes become %q, 129 %q", cut, LegalName(long+"a"))
	}
}

func TestUnescape(t *testing.T) {
	for _, name := range []string{"Option<u32>", "(u32, u8)", "tcp_types::Everything", "{closure_env#0}", "a_b", "x_41_y", "a_2"} {
		if got := unescape(LegalName(name)); got != name {
			t.Errorf("%q: %q", name, got)
		}
	}
}

// TestRustNames: what the kernel is told, and the way back, also where the
// linker changed the names.
func TestRustNames(t *testing.T) {
	files := rustFiles(t)
	for _, name := range []string{"tcp_subprograms-plain.o", "tcp_subprograms-linked.o"} {
		got := make(map[string]string)
		for legal, rust := range files[name].RustNames() {
			if strings.HasPrefix(rust, "generic") || strings.HasPrefix(rust, "Option") {
				got[legal] = rust
			}
		}
		want := map[string]string{
			"generic_3C_u32_3E_": "generic<u32>",
			"generic_3C_u64_3E_": "generic<u64>",
			"Option_3C_unsafe_20_extern_20__22_C_22__20_fn_28__2A_const_20_u64_29__3E_":                    `Option<unsafe extern "C" fn(*const u64)>`,
			"Option_3C_unsafe_20_extern_20__22_C_22__20_fn_28__2A_const_20_u64_29__20__2D__3E__20_u32_3E_": `Option<unsafe extern "C" fn(*const u64) -> u32>`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if names := readFile(t, readObject(t, "structops_two-el.elf")).RustNames(); names != nil {
		t.Errorf("C object: %v", names)
	}
}

// TestLegalNames: every name that the kernel checks is one that it takes.
func TestLegalNames(t *testing.T) {
	for name, f := range rustFiles(t) {
		if f.types == nil {
			continue
		}
		spec, err := f.Spec()
		if err != nil {
			t.Fatal(err)
		}
		for typ, err := range spec.Types.All() {
			if err != nil {
				t.Fatal(err)
			}
			names := []string{typ.TypeName()}
			switch typ := typ.(type) {
			case *btf.Int, *btf.Datasec, *btf.Float:
				continue
			case *btf.Struct:
				for _, m := range typ.Members {
					names = append(names, m.Name)
				}
			case *btf.FuncProto:
				for _, p := range typ.Params {
					names = append(names, p.Name)
				}
			}
			for _, n := range names {
				if LegalName(n) != n {
					t.Errorf("%s: %v has the name %q", name, typ, n)
				}
			}
		}
	}
}
