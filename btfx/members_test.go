package btfx

import (
	"fmt"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// members writes the members of a struct as text: offset in bytes, name, type.
func members(tb testing.TB, spec *btf.Spec, name string) []string {
	tb.Helper()
	var s *btf.Struct
	if err := spec.TypeByName(name, &s); err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, m := range s.Members {
		out = append(out, fmt.Sprintf("%d %s %s", m.Offset.Bytes(), m.Name, typeText(m.Type)))
	}
	return out
}

func typeText(typ btf.Type) string {
	switch typ := typ.(type) {
	case *btf.Pointer:
		return "*" + typeText(typ.Target)
	case *btf.Array:
		return fmt.Sprintf("%s[%d]", typeText(typ.Type), typ.Nelems)
	case *btf.FuncProto:
		return fmt.Sprintf("fn/%d", len(typ.Params))
	case *btf.TypeTag:
		return fmt.Sprintf("%s %s", typ.Value, typeText(typ.Type))
	case *btf.Void:
		return "void"
	}
	return typ.TypeName()
}

// TestMembers: sorted, chars have a type, data keeps its Option.
func TestMembers(t *testing.T) {
	want := []string{
		"0 huge u128",
		"16 inner Inner_3C_u64_3E_",
		"32 shape Shape",
		"48 pair _28_u32_2C__20_u8_29_",
		"56 none u64[0]",
		"56 maybe_text Option_3C__26_u8_3E_",
		"64 real f64",
		"72 pointer *c_void",
		"80 function Option_3C_fn_28_u32_29__20__2D__3E__20_char_3E_",
		"88 letters char[2]",
		"96 letter char",
		"100 negative Negative",
		"104 maybe Option_3C_u32_3E_",
		"112 unit ()",
		"112 small Small",
		"113 flag bool",
	}
	for _, name := range []string{"tcp_types-plain.o", "tcp_types-linked.o"} {
		spec := rustSpec(t, name)
		if diff := cmp.Diff(want, members(t, spec, "Everything")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff([]string{"0 value u64", "8 half u16", "10 small u8"}, members(t, spec, "Inner_3C_u64_3E_")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		var letter *btf.Var
		if err := spec.TypeByName("LETTER", &letter); err != nil {
			t.Fatal(err)
		}
		if size, err := btf.Sizeof(letter.Type); err != nil || size != charSize {
			t.Errorf("%s: LETTER has type %v of %d bytes, %v", name, letter.Type, size, err)
		}
	}
}

// TestCallbacks: a member with a function is a pointer to one, be it an Option,
// NULL or not.
func TestCallbacks(t *testing.T) {
	for _, variant := range []string{"plain", "linked"} {
		want := []string{"0 ssthresh *fn/0", "8 cong_avoid *fn/0", "16 undo_cwnd *fn/0", "24 release *fn/0", "32 name u8[16]"}
		got := members(t, rustSpec(t, "tcp_kfuncs-"+variant+".o"), "tcp_congestion_ops")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Option (-want +got):\n%s", diff)
		}
		want = []string{
			"0 name u8[16]", "16 list usize[2]", "32 owner usize", "40 undo_cwnd *fn/0",
			"48 from_the_future *fn/0", "56 ssthresh *fn/0", "64 cong_avoid *fn/1", "72 key Key", "76 flags Flags", "80 level_of_the_future u8",
		}
		got = members(t, rustSpec(t, "tcp_members-"+variant+".o"), "tcp_congestion_ops")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("not repr(C) (-want +got):\n%s", diff)
		}
	}
}

func TestIsOptionFn(t *testing.T) {
	for name, want := range map[string]bool{
		`Option<unsafe extern "C" fn(*const u64) -> u32>`:           true,
		`Option<extern "C" fn()>`:                                   true,
		`Option<fn(u32)>`:                                           true,
		`Option<for<'a> unsafe extern "C" fn(&'a u64)>`:             true,
		`Option_3C_unsafe_20_extern_20__22_C_22__20_fn_28__29__3E_`: true,
		`Option<u64>`:       false,
		`Option<fnord>`:     false,
		`Option<Box<fn()>>`: false,
		`fn()`:              false,
		``:                  false,
	} {
		e := &editor{rawBTF: &rawBTF{order: nativeOrder(), strings: append([]byte{0}, name+"\x00"...)}}
		raw := make([]byte, 12)
		r := record{e.order, 1, raw}
		r.put(0, 1)
		r.putInfo(recStruct, 0)
		e.records = []record{{}, r}
		if got := (&rustTypes{editor: e}).isOptionFn(1); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
