package structops

import (
	"slices"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// orderFunctions puts the functions of a program in the order in which calls
// reach them, depth first, and the others last. So the program has the tag that
// it has with libbpf, and is verified in the same order. Upstream appends
// functions level by level, sorted by name.
//
// Mirrors libbpf bpf_object__reloc_code.
func orderFunctions(insns asm.Instructions) {
	starts := functionStarts(insns)
	if len(starts) < 3 {
		return // one function has only one place
	}
	byName := make(map[string]int, len(starts))
	for i, start := range starts {
		byName[insns[start].Symbol()] = i
	}
	end := func(i int) int {
		if i+1 < len(starts) {
			return starts[i+1]
		}
		return len(insns)
	}

	order, placed := make([]int, 0, len(starts)), make([]bool, len(starts))
	var visit func(i int)
	visit = func(i int) {
		order, placed[i] = append(order, i), true
		for at := starts[i]; at < end(i); at++ {
			if !insns[at].IsFunctionReference() {
				continue
			}
			if callee, ok := byName[insns[at].Reference()]; ok && !placed[callee] {
				visit(callee)
			}
		}
	}
	for i := range starts {
		if !placed[i] {
			visit(i)
		}
	}
	if slices.IsSorted(order) {
		return
	}
	old, at := slices.Clone(insns), 0
	for _, i := range order {
		at += copy(insns[at:], old[starts[i]:end(i)])
	}
}

// functionStarts returns the indices of the first instructions of functions,
// which are symbols that are called or have func info: others are labels.
func functionStarts(insns asm.Instructions) []int {
	called := make(map[string]bool)
	for i := range insns {
		if ins := &insns[i]; ins.IsFunctionReference() {
			called[ins.Reference()] = true
		}
	}
	starts := []int{0}
	if len(called) == 0 {
		return starts
	}
	for i := 1; i < len(insns); i++ {
		ins := &insns[i]
		if symbol := ins.Symbol(); symbol != "" && (called[symbol] || btf.FuncMetadata(ins) != nil) {
			starts = append(starts, i)
		}
	}
	return starts
}
