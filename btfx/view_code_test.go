package btfx

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// use is an instruction that refers to something.
type use struct {
	Op        string
	Reference string
	Src       asm.Register
	Constant  int64
}

// usesIn returns the instructions of a program that have a reference.
func usesIn(p *ebpf.ProgramSpec) []use {
	var uses []use
	for _, ins := range p.Instructions {
		if ins.Reference() != "" {
			uses = append(uses, use{ins.OpCode.String(), ins.Reference(), ins.Src, ins.Constant})
		}
	}
	return uses
}

const (
	load = "LdImmDW"
	call = "Call"
)

func TestViewExterns(t *testing.T) {
	want := []use{
		{call, "bpf_rcu_read_lock", asm.PseudoCall, -1},
		{load, "bpf_rcu_read_unlock", 0, 0},
		{call, "bpf_rcu_read_unlock", asm.PseudoCall, -1},
		{load, "no_such_variable", 0, 0},
		{load, "no_such_symbol", 0, 0},
		{load, "bpf_prog_active", 0, 0},
		{load, "CONFIG_HZ", 0, 0},
		{load, "CONFIG_DOES_NOT_EXIST", 0, 0},
	}
	bothOrders(t, "view_externs", func(t *testing.T, name string) {
		canary(t, readObject(t, name), "expected bpf_prog_active to be *Void, not *btf.Var", "hideDatasec for .ksyms")
		if diff := cmp.Diff(want, usesIn(readSpec(t, name).Programs["prog"])); diff != "" {
			t.Errorf("uses (-want +got):\n%s", diff)
		}
	})
	bothOrders(t, "kfunc_config_weak", func(t *testing.T, name string) {
		canary(t, readObject(t, name), "CONFIG_DOES_NOT_EXIST: unsupported binding: STB_WEAK", "hideDatasec for .kconfig")
	})
}

func TestViewArena(t *testing.T) {
	want := []use{
		{load, "arena", asm.PseudoMapFD, 0},
		{load, ".addr_space.1", 0, 8},
		{load, ".addr_space.1", 0, 0},
		{load, ".addr_space.1", 0, 16},
	}
	bothOrders(t, "view_arena", func(t *testing.T, name string) {
		object := readObject(t, name)
		canary(t, object, `in section SHN_UNDEF`, "showArenaReference")
		spec := readSpec(t, name)
		if diff := cmp.Diff(want, usesIn(spec.Programs["prog"])); diff != "" {
			t.Errorf("uses (-want +got):\n%s", diff)
		}
		if len(spec.Maps) != 1 || len(spec.Variables) != 0 {
			t.Errorf("%d maps and %d variables, want the arena only", len(spec.Maps), len(spec.Variables))
		}
		var ds *btf.Datasec
		if err := spec.Types.TypeByName(arenaName, &ds); err != nil || ds.Size != 32 {
			t.Errorf("DATASEC %v: %v", ds, err)
		}

		f := readFile(t, object)
		index := slices.IndexFunc(f.Sections, func(s Section) bool { return s.Name == arenaName })
		image, err := f.Data(elf.SectionIndex(index))
		if err != nil {
			t.Fatal(err)
		}
		words := make([]byte, 0, 32)
		for _, word := range []uint64{7, 8} {
			words = append(words, make([]byte, 8)...)
			f.ByteOrder.PutUint64(words[len(words)-8:], word)
		}
		for _, word := range []uint32{1, 2, 3, 4} {
			words = append(words, make([]byte, 4)...)
			f.ByteOrder.PutUint32(words[len(words)-4:], word)
		}
		if diff := cmp.Diff(words, image); diff != "" {
			t.Errorf("image (-want +got):\n%s", diff)
		}
	})
}

var callbackUses = []use{
	{call, "add_one", asm.PseudoCall, -1},
	{load, ".bss", asm.PseudoMapValue, 0},
	{load, "add_hidden", asm.PseudoFunc, -1},
	{load, "add_weak", asm.PseudoFunc, -1},
	{load, "add_static", asm.PseudoFunc, -1},
}

func TestViewCallbacks(t *testing.T) {
	bothOrders(t, "view_callback", func(t *testing.T, name string) {
		object := readObject(t, name)
		canary(t, object, "load: add_weak: unsupported binding: STB_WEAK", "showFunctionReference")
		uses := usesIn(readSpec(t, name).Programs["prog"])
		if diff := cmp.Diff(callbackUses, uses[:len(callbackUses)]); diff != "" {
			t.Errorf("uses (-want +got):\n%s", diff)
		}

		// Without the weak function upstream takes the first of the section for
		// the hidden one.
		global := rewrite(t, object, func(v *view) { v.symbolNamed("add_weak").Binding = elf.STB_GLOBAL })
		spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(global))
		if err != nil {
			t.Fatal(err)
		}
		if usesIn(spec.Programs["prog"])[2].Reference == "add_hidden" {
			t.Error("upstream finds the function by its symbol: the view no longer needs showFunctionReference")
		}
	})
}

// gcc refers to static functions by symbol, and a section symbol may have a value.
func TestViewLocalSymbols(t *testing.T) {
	object := readObject(t, "view_callback-el.elf")
	for name, edit := range map[string]func(*view){
		"function": func(v *view) {
			for _, name := range []string{"add_one", "add_hidden", "add_weak"} {
				v.symbolNamed(name).Binding = elf.STB_LOCAL
			}
		},
		"section": func(v *view) {
			text := v.symbolNamed("add_hidden").Section
			symbol := v.appendSymbol(Symbol{Section: text, Value: 64, Type: elf.STT_SECTION, Binding: elf.STB_LOCAL})
			s := v.section("syscall")
			s.relocations = slices.Clone(s.relocations)
			for i, rel := range s.relocations {
				sym := v.symbols[rel.Symbol]
				if sym.Section != text {
					continue
				}
				ins := instruction{v.File, s.data[rel.Offset:]}
				if ins.raw[0] == opCall {
					ins.setImm(ins.imm() + int32(sym.Value-64)/insnSize)
				} else {
					ins.setImm(ins.imm() + int32(sym.Value-64))
				}
				s.relocations[i].Symbol = symbol
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			edited := rewrite(t, object, edit)
			canary(t, edited, "", "showFunctionReference")
			spec, err := readFile(t, edited).Spec()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(callbackUses, usesIn(spec.Programs["prog"])[:len(callbackUses)]); diff != "" {
				t.Errorf("uses (-want +got):\n%s", diff)
			}
		})
	}
}

// The kernel runs the functions that the source names.
func TestViewCallbacksRun(t *testing.T) {
	spec := readSpec(t, "view_callback-el.elf")
	coll, err := ebpf.NewCollection(spec)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, ebpf.ErrNotSupported) {
		t.Skip("loading needs Linux and privilege:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer coll.Close()

	if _, err := coll.Programs["prog"].Run(&ebpf.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	var hits uint64
	if err := coll.Variables["hits"].Get(&hits); err != nil {
		t.Fatal(err)
	}
	if hits != 10*(100+10000+1000000) {
		t.Errorf("hits %d", hits)
	}
}

// info is what .BTF.ext says about an instruction.
type info struct {
	Symbol, Func, Line, Relocation string
}

// infosIn returns the instructions that start a function or have a CO-RE
// relocation.
func infosIn(p *ebpf.ProgramSpec) []info {
	var infos []info
	for _, ins := range p.Instructions {
		var i info
		if fn := btf.FuncMetadata(&ins); fn != nil {
			i.Func = fn.Name
		}
		if relo := btf.CORERelocationMetadata(&ins); relo != nil {
			i.Relocation = relo.String()
		}
		if i == (info{}) && ins.Symbol() == "" {
			continue
		}
		i.Symbol = ins.Symbol()
		if source := ins.Source(); source != nil {
			i.Line = source.String()
		}
		infos = append(infos, i)
	}
	return infos
}

// A body without a symbol lies between shared and behind.
func TestViewHoles(t *testing.T) {
	const (
		sharedLine = "__weak __noinline int shared(struct task_struct *task) { return task ? task->pid : 0; }"
		behindLine = "__noinline int behind(struct task_struct *task) { return task ? task->tgid : 1; }"
	)
	relocation := func(index string) string {
		return `CORERelocation(byte_off, Struct:"task_struct"[0:` + index + `], local_id=2)`
	}
	shared := []info{
		{"shared", "shared", sharedLine, ""},
		{"", "", sharedLine, relocation("0")},
	}
	spec := readSpec(t, "view_linked-el.elf")
	for name, want := range map[string][]info{
		"first": append([]info{{"first", "first", `SEC("tc") int first(void *ctx) { return shared(0); }`, ""}}, shared...),
		"second": append([]info{
			{"second", "second", `SEC("tc") int second(void *ctx) { return behind(0) + shared(0); }`, ""},
			{"behind", "behind", behindLine, ""},
			{"", "", behindLine, relocation("1")},
		}, shared...),
	} {
		if diff := cmp.Diff(want, infosIn(spec.Programs[name])); diff != "" {
			t.Errorf("program %q (-want +got):\n%s", name, diff)
		}
	}
	if len(spec.Programs) != 2 {
		t.Errorf("%d programs, want 2", len(spec.Programs))
	}

	// Where both functions are known, they have one name.
	bothOrders(t, "view_padding", func(t *testing.T, name string) {
		for _, i := range infosIn(readSpec(t, name).Programs["prog"]) {
			if i.Func != i.Symbol {
				t.Errorf("function %q has the func_info of %q", i.Symbol, i.Func)
			}
		}
	})
}

// A hole in a section of programs is no program, and nothing may call it.
func TestViewHoleInProgramSection(t *testing.T) {
	object := rewrite(t, readObject(t, "view_hidden-el.elf"), func(v *view) {
		sym := v.symbolNamed("hidden_prog")
		sym.Type, sym.Binding = elf.STT_NOTYPE, elf.STB_LOCAL
	})
	spec, err := readFile(t, object).Spec()
	if err != nil {
		t.Fatal(err)
	}
	if len(spec.Programs) != 1 || spec.Programs["prog"] == nil {
		t.Errorf("programs %v", spec.Programs)
	}

	for name, test := range map[string]struct {
		edit func(*view)
		want string
	}{
		"relocation": {func(v *view) {
			sym := v.symbolNamed("visible")
			sym.Type, sym.Binding = elf.STT_NOTYPE, elf.STB_LOCAL
		}, `section "tc": offset 24: reference to "visible": no function at offset 0 of section ".text"`},
		"relative": {func(v *view) {
			sym := v.symbolNamed("hidden_prog")
			sym.Type, sym.Binding = elf.STT_NOTYPE, elf.STB_LOCAL
			s := v.section("tc")
			s.relocations = slices.DeleteFunc(slices.Clone(s.relocations), func(r Relocation) bool { return r.Offset == 24 })
			instruction{v.File, s.data[24:]}.setImm(int32(sym.Value-24)/insnSize - 1)
		}, `section "tc": offset 24: call of offset 160, where no function starts`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readFile(t, rewrite(t, readObject(t, "view_hidden-el.elf"), test.edit)).Spec()
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestViewTwins(t *testing.T) {
	canary(t, readObject(t, "view_twins-el.elf"), "duplicate symbol helper in section .text", "renameFunctions")
	spec := readSpec(t, "view_twins-el.elf")
	for name, want := range map[string]string{"first": "helper", "second": "helper.1"} {
		uses := usesIn(spec.Programs[name])
		if len(uses) != 1 || uses[0].Reference != want {
			t.Errorf("program %q: %v, want a call of %q", name, uses, want)
		}
		last := infosIn(spec.Programs[name])[1]
		if last.Symbol != want || last.Func != "helper" {
			t.Errorf("program %q: function %+v", name, last)
		}
	}
}

func TestViewAddend(t *testing.T) {
	bothOrders(t, "view_addend", func(t *testing.T, name string) {
		// array is at offset 4 of .bss.
		if got := usesIn(readSpec(t, name).Programs["prog"])[0]; got.Constant != 12<<32 {
			t.Errorf("constant %#x, want offset 12", got.Constant)
		}
	})
}

func TestViewRelocationErrors(t *testing.T) {
	for _, test := range []struct {
		name, object string
		edit         func(*view)
		want         string
	}{
		{"not at an instruction", "view_plain-el.elf", func(v *view) {
			v.section("xdp").relocations[0].Offset += 4
		}, `section "xdp": offset 36: reference to "counters": not at an instruction`},
		{"neither call nor load", "view_plain-el.elf", func(v *view) {
			v.section("xdp").relocations[0].Offset = 0
		}, `section "xdp": offset 0: reference to "counters": instruction with opcode 0xb4 is neither a call nor a 64-bit load`},
		{"absolute symbol", "view_plain-el.elf", func(v *view) {
			v.symbolNamed("counters").Section = elf.SHN_ABS
		}, `section "xdp": offset 32: reference to "counters": symbol is in SHN_ABS`},
		{"section without meaning", "view_plain-el.elf", func(v *view) {
			v.symbolNamed("counters").Section = v.symbolNamed("_license").Section
		}, `section "xdp": offset 32: reference to "counters": section "license" holds neither code nor data nor maps`},
		{"call of data", "view_plain-el.elf", func(v *view) {
			v.symbolNamed("add").Section = v.symbolNamed("counters").Section
		}, `section "xdp": offset 176: reference to "add": call of something in section ".maps", which holds no code`},
		{"offset out of range", "view_plain-el.elf", func(v *view) {
			s := v.section("xdp")
			rel := s.relocations[1]
			instruction{v.File, s.data[rel.Offset:]}.setImm(-100)
		}, `section "xdp": offset 64: reference to "seen": offset -100 of the section`},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := rewrite(t, readObject(t, test.object), func(v *view) {
				s := v.section("xdp")
				s.relocations = slices.Clone(s.relocations)
				test.edit(v)
			})
			_, err := readFile(t, object).Spec()
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v\nwant  %s", err, test.want)
			}
		})
	}
}
