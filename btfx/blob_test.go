package btfx

import (
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// The linkage that func info says is the one that the kernel sees, also where
// the types of func info are not those of the spec.
func TestBuilderLinkage(t *testing.T) {
	for _, copied := range []bool{false, true} {
		original := readSpec(t, "linkage_tags-el.elf")
		spec := original
		if copied {
			spec = original.Copy()
		}
		if err := MarkStatic(spec, &StaticOptions{Only: []string{"counted"}}); err != nil {
			t.Fatal(err)
		}
		builder, err := NewBuilder(spec.Types, copied)
		if err != nil {
			t.Fatal(err)
		}
		insns := spec.Programs["throws"].Instructions
		infos, _, err := btf.MarshalExtInfos(insns, builder)
		if err != nil {
			t.Fatal(err)
		}
		blob, err := builder.Spec()
		if err != nil {
			t.Fatal(err)
		}

		got := make(map[string]string)
		for ; len(infos) > 0; infos = infos[btf.FuncInfoSize:] {
			typ, err := blob.TypeByID(btf.TypeID(nativeOrder().Uint32(infos[4:])))
			if err != nil {
				t.Fatal(err)
			}
			fn := typ.(*btf.Func)
			got[fn.Name] = fn.Linkage.String()
		}
		if diff := cmp.Diff(map[string]string{
			"throws": "global", "counted": "static", "already": "static", "nonnull": "global", "on_throw": "global",
		}, got); diff != "" {
			t.Errorf("copied %v: linkage (-want +got):\n%s", copied, diff)
		}
	}
}

// Canary of what NewBuilder leaves out when it deduplicates.
func TestBuilderDeduplicateCanary(t *testing.T) {
	proto := &btf.FuncProto{Return: &btf.Int{Name: "int", Size: 4}}
	builder, err := btf.NewBuilder([]btf.Type{&btf.Func{Name: "f", Type: proto, Linkage: btf.GlobalFunc}}, &btf.BuilderOptions{Deduplicate: true})
	if err != nil {
		t.Fatal(err)
	}
	global, err := builder.Add(&btf.Func{Name: "f", Type: proto, Linkage: btf.GlobalFunc})
	if err != nil {
		t.Fatal(err)
	}
	static, err := builder.Add(&btf.Func{Name: "f", Type: proto, Linkage: btf.StaticFunc})
	if err != nil {
		t.Fatal(err)
	}
	if global != static {
		t.Error("upstream tells functions of different linkage apart: NewBuilder need not leave them out")
	}
}

func TestBuilderVirtual(t *testing.T) {
	for _, dedup := range []bool{false, true} {
		builder, err := NewBuilder(readSpec(t, "sanitize_externs-el.elf").Types, dedup)
		if err != nil {
			t.Fatal(err)
		}
		blob, err := builder.Spec()
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]bool)
		for typ, err := range blob.All() {
			if err != nil {
				t.Fatal(err)
			}
			if name := typ.TypeName(); name != "" {
				got[name] = true
			}
		}
		for _, name := range []string{"unnamed", "variadic", "typeless", "typed", "CONFIG_LONG", ".ksyms", ".kconfig"} {
			if got[name] {
				t.Errorf("dedup %v: %q is in the BTF", dedup, name)
			}
		}
		for _, name := range []string{"hidden", "shown", "_license", ".data", "license"} {
			if !got[name] {
				t.Errorf("dedup %v: %q is not in the BTF", dedup, name)
			}
		}
	}
}
