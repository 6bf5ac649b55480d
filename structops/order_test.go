package structops

import (
	"testing"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

func TestOrderFunctions(t *testing.T) {
	// Functions are named, labels have no func info.
	function := func(name string, body ...asm.Instruction) asm.Instructions {
		first := btf.WithFuncMetadata(asm.Mov.Imm(asm.R0, 0).WithSymbol(name), &btf.Func{Name: name})
		return append(append(asm.Instructions{first}, body...), asm.Return())
	}
	call := func(name string) asm.Instruction { return asm.Call.Label(name) }
	address := func(name string) asm.Instruction {
		return asm.Instruction{OpCode: asm.LoadImmOp(asm.DWord), Dst: asm.R2, Src: asm.PseudoFunc, Constant: -1}.WithReference(name)
	}
	label := asm.Mov.Imm(asm.R1, 1).WithSymbol("label")
	program := func(functions ...asm.Instructions) (insns asm.Instructions) {
		for _, f := range functions {
			insns = append(insns, f...)
		}
		return insns
	}
	for _, tc := range []struct {
		name  string
		insns asm.Instructions
		want  []string
	}{
		{"one", program(function("main")), []string{"main"}},
		{"two", program(function("main", call("a")), function("a")), []string{"main", "a"}},
		{"order of calls", program(function("main", call("b"), call("a")), function("a"), function("b")), []string{"main", "b", "a"}},
		{"depth first", program(function("main", call("a"), call("b")), function("a", call("c")), function("b"), function("c")), []string{"main", "a", "c", "b"}},
		{"addresses", program(function("main", address("b"), call("a")), function("a"), function("b")), []string{"main", "b", "a"}},
		{"called twice", program(function("main", call("a"), call("b")), function("a", call("b")), function("b", call("a"))), []string{"main", "a", "b"}},
		{"recursion", program(function("main", call("b"), call("main")), function("a"), function("b", call("b"))), []string{"main", "b", "a"}},
		{"not called", program(function("main", call("c")), function("a"), function("b"), function("c", call("b"))), []string{"main", "c", "b", "a"}},
		{"label", program(function("main", call("b")), function("a", label), function("b")), []string{"main", "b", "a", "label"}},
		{"calls of helpers and kfuncs", program(function("main", asm.FnMapLookupElem.Call(), call("absent"), call("b")), function("a"), function("b")),
			[]string{"main", "b", "a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := make(map[asm.Instruction]int)
			for _, ins := range tc.insns {
				before[ins]++
			}
			orderFunctions(tc.insns)
			var got []string
			for _, ins := range tc.insns {
				before[ins]--
				if ins.Symbol() != "" {
					got = append(got, ins.Symbol())
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for ins, n := range before {
				if n != 0 {
					t.Errorf("%v is there %+d times", ins, -n)
				}
			}
		})
	}
}
