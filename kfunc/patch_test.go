package kfunc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"

	"github.com/ebpfx/ebpfx/btfx"
)

var resolution = &Resolution{
	Externs: []Resolved{
		{Name: "address", Kind: Symbol, Address: 0xffffffff81234567},
		{Name: "config", Kind: Config, Offset: 24},
		{Name: "gone", Kind: Function, Weak: true, Absent: true, Reason: "no reason"},
		{Name: "gone_address", Kind: Symbol, Weak: true, Absent: true},
		{Name: "gone_variable", Kind: Variable, Weak: true, Absent: true},
		{Name: "kfunc", Kind: Function, Ref: btfx.Ref{ID: 100}},
		{Name: "mod_kfunc", Kind: Function, Ref: btfx.Ref{Module: "testmod", ID: 200}},
		{Name: "mod_var", Kind: Variable, Ref: btfx.Ref{Module: "testmod", ID: 201}},
		{Name: "variable", Kind: Variable, Ref: btfx.Ref{ID: 101}},
	},
	Kconfig: make([]byte, 32),
}

var testmod = map[string]ModuleFD{"testmod": {Index: 3, FD: 9}}

func call(src asm.Register, name string) asm.Instruction {
	return asm.Instruction{OpCode: asm.OpCode(asm.JumpClass).SetJumpOp(asm.Call), Src: src, Constant: -1}.WithReference(name)
}

func load(src asm.Register, name string) asm.Instruction {
	return asm.Instruction{OpCode: asm.LoadImmOp(asm.DWord), Dst: asm.R2, Src: src}.WithReference(name)
}

// raw is what the kernel sees of an instruction: opcode, registers (dst in the
// low half), offset, imm, and imm of the second half.
type raw struct {
	Op, Regs uint8
	Off      int16
	Imm      uint32
	Imm2     uint32
}

func encode(t *testing.T, ins asm.Instruction) raw {
	t.Helper()
	var buf bytes.Buffer
	if _, err := ins.Marshal(&buf, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	b := append(buf.Bytes(), make([]byte, 8)...)
	le := binary.LittleEndian
	return raw{b[0], b[1], int16(le.Uint16(b[2:])), le.Uint32(b[4:]), le.Uint32(b[12:])}
}

func TestApply(t *testing.T) {
	tests := []struct {
		name string
		ins  asm.Instruction
		want raw
		ref  string
	}{
		{"call", call(asm.PseudoCall, "kfunc"), raw{0x85, 0x20, 0, 100, 0}, ""},
		{"call read by upstream", call(asm.PseudoKfuncCall, "kfunc"), raw{0x85, 0x20, 0, 100, 0}, ""},
		{"call into module", call(asm.PseudoCall, "mod_kfunc"), raw{0x85, 0x20, 3, 200, 0}, ""},
		{"call of absent", call(asm.PseudoCall, "gone"), raw{0x85, 0, 0, PoisonBase + 2, 0}, ""},
		{"call of absent read by upstream", call(asm.PseudoKfuncCall, "gone"), raw{0x85, 0, 0, PoisonBase + 2, 0}, ""},
		{"address of kfunc", load(0, "kfunc"), raw{0x18, 0x32, 0, 100, 0}, ""},
		{"address of module kfunc", load(0, "mod_kfunc"), raw{0x18, 0x32, 0, 200, 9}, ""},
		{"address of absent kfunc", load(0, "gone"), raw{0x18, 0x02, 0, 0, 0}, ""},
		{"variable", load(0, "variable"), raw{0x18, 0x32, 0, 101, 0}, ""},
		{"module variable", load(0, "mod_var"), raw{0x18, 0x32, 0, 201, 9}, ""},
		{"absent variable", load(0, "gone_variable"), raw{0x18, 0x02, 0, 0, 0}, ""},
		{"symbol", load(0, "address"), raw{0x18, 0x02, 0, 0x81234567, 0xffffffff}, ""},
		{"absent symbol", load(0, "gone_address"), raw{0x18, 0x02, 0, 0, 0}, ""},
		{"config", load(0, "config"), raw{0x18, 0x22, 0, 0, 24}, ".kconfig"},
		{"config read by upstream", load(asm.PseudoMapValue, "config"), raw{0x18, 0x22, 0, 0, 24}, ".kconfig"},
		{"map", load(asm.PseudoMapFD, "kfunc"), raw{0x18, 0x12, 0, 0, 0}, "kfunc"},
		{"map value", load(asm.PseudoMapValue, "variable"), raw{0x18, 0x22, 0, 0, 0}, "variable"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fn := &btf.Func{Name: "prog", Type: &btf.FuncProto{}}
			line := asm.Comment("line 7")
			insns := asm.Instructions{btf.WithFuncMetadata(test.ins.WithSymbol("prog").WithSource(line), fn)}
			if err := resolution.Apply(insns, testmod); err != nil {
				t.Fatal(err)
			}

			ins := insns[0]
			if diff := cmp.Diff(test.want, encode(t, ins)); diff != "" {
				t.Errorf("instruction (-want +got):\n%s", diff)
			}
			if ins.Reference() != test.ref {
				t.Errorf("got reference %q, want %q", ins.Reference(), test.ref)
			}
			if ins.Symbol() != "prog" || ins.Source() != line || btf.FuncMetadata(&ins) != fn {
				t.Errorf("lost metadata: symbol %q, source %v, FUNC %v", ins.Symbol(), ins.Source(), btf.FuncMetadata(&ins))
			}

			if err := resolution.Apply(insns, testmod); err != nil {
				t.Fatal("second Apply:", err)
			}
			if diff := cmp.Diff(encode(t, ins), encode(t, insns[0])); diff != "" {
				t.Errorf("second Apply changed the instruction (-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplyErrors(t *testing.T) {
	insns := asm.Instructions{
		call(asm.PseudoCall, "zzz").WithSymbol("prog"),
		call(asm.PseudoCall, "sub"),
		load(0, "aaa"),
		load(0, "aaa"),
		load(asm.PseudoFunc, "callback"),
		load(asm.PseudoMapFD, "map"),
		call(asm.PseudoCall, "variable"),
		call(asm.PseudoCall, "mod_kfunc"),
		asm.Ja.Label("kfunc"),
		asm.Return().WithSymbol("sub"),
	}
	err := resolution.Apply(insns, nil)
	const want = `instruction 6: extern "variable": Call -1 <variable> can't refer to a variable
instruction 7: extern "mod_kfunc": BTF of module "testmod" is not open
instruction 8: extern "kfunc": Ja off: -1 <kfunc> can't refer to a kfunc
undefined symbols: aaa, callback, zzz: unsatisfied program reference`
	if diff := cmp.Diff(want, errorText(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if !errors.Is(err, asm.ErrUnsatisfiedProgramReference) {
		t.Error("not ErrUnsatisfiedProgramReference")
	}
}

// A function of the object wins over an extern of the same name.
func TestApplyOwnSymbol(t *testing.T) {
	insns := asm.Instructions{
		call(asm.PseudoCall, "kfunc").WithSymbol("prog"),
		asm.Return().WithSymbol("kfunc"),
	}
	if err := resolution.Apply(insns, nil); err != nil {
		t.Fatal(err)
	}
	if ins := insns[0]; !ins.IsFunctionCall() || ins.Reference() != "kfunc" {
		t.Errorf("call of an own function became %v", ins)
	}
}

func TestExplain(t *testing.T) {
	tests := map[string]struct {
		log  []string
		want string
	}{
		"absent":         {[]string{"0: (85) call unknown#200200002", "invalid func unknown#200200002", "processed 1 insns"}, `kfunc "gone" is called, but absent: no reason`},
		"other function": {[]string{"invalid func unknown#233685214"}, ""},
		"out of range":   {[]string{"invalid func unknown#200200009"}, ""},
		"overflow":       {[]string{"invalid func unknown#99999999999999999999"}, ""},
		"other error":    {[]string{"R1 invalid mem access 'scalar'"}, ""},
		"empty":          {nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := resolution.Explain(test.log)
			if got != test.want || ok != (test.want != "") {
				t.Errorf("got %q, %v, want %q", got, ok, test.want)
			}
		})
	}
}
