package kfunc

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
)

// PoisonBase is the number of the built-in function that a call of the first
// absent extern calls; the index into [Resolution.Externs] is added. No kernel
// has a function of that number, so the program loads only if the call is dead
// code.
//
// Differs from libbpf, which uses 2002000000: package asm takes no number of
// 2^28 and more.
const PoisonBase = 200_200_000

// ModuleFD is a module's BTF object, opened.
type ModuleFD struct {
	Index int16 // in the fd_array, 1 or more
	FD    int
}

// Apply patches the instructions of one program, those of its subprograms
// included, in place. modules has the module of every [Resolved.Ref]; the FDs
// are written into the instructions and must stay open until the program is
// loaded. A config value becomes a reference to the map ".kconfig", see
// [Resolution.KconfigMap].
//
// A patched instruction keeps its symbol, source line, FUNC and CO-RE
// relocation and loses its reference, so that a second Apply does nothing.
//
// No program is to be loaded with an instruction that still refers to an
// undefined symbol: an error lists all references that are neither an extern of
// r, nor a symbol of insns, nor a map. (cilium/ebpf v0.22.0 loads 0 for them.)
//
// Mirrors libbpf bpf_object__relocate_data. A call of a kfunc needs Linux 5.13
// (e6ac2450d6de).
func (r *Resolution) Apply(insns asm.Instructions, modules map[string]ModuleFD) error {
	return r.apply(insns, modules, nil)
}

// apply is [Resolution.Apply] except for the externs in leave. The empty name
// stands for kconfig values that have lost theirs.
func (r *Resolution) apply(insns asm.Instructions, modules map[string]ModuleFD, leave map[string]bool) error {
	own := symbols(insns)
	undefined := make(map[string]bool)
	var errs []error
	for i := range insns {
		ins := &insns[i]
		name := ins.Reference()
		if isNameless(ins) && !leave[""] {
			if name = r.onlyConfig(); name == "" {
				errs = append(errs, fmt.Errorf("instruction %d: load of a kconfig value that has lost its name", i))
				continue
			}
		}
		if name == "" || own[name] || leave[name] {
			continue
		}
		index, ok := r.index(name)
		if ins.IsLoadFromMap() && (!ok || r.Externs[index].Kind != Config) {
			continue
		}
		if !ok {
			undefined[name] = true
			continue
		}
		patched, err := r.Externs[index].patch(*ins, index, modules)
		if err != nil {
			errs = append(errs, fmt.Errorf("instruction %d: extern %q: %w", i, name, err))
			continue
		}
		*ins = patched
	}
	if len(undefined) > 0 {
		names := slices.Sorted(maps.Keys(undefined))
		errs = append(errs, fmt.Errorf("undefined symbols: %s: %w", strings.Join(names, ", "), asm.ErrUnsatisfiedProgramReference))
	}
	return errors.Join(errs...)
}

// index finds an extern by name.
func (r *Resolution) index(name string) (int, bool) {
	return slices.BinarySearchFunc(r.Externs, name, func(x Resolved, name string) int {
		return strings.Compare(x.Name, name)
	})
}

// onlyConfig returns the name of the only config value, if there is only one.
func (r *Resolution) onlyConfig() (name string) {
	for _, x := range r.Externs {
		if x.Kind == Config {
			if name != "" {
				return ""
			}
			name = x.Name
		}
	}
	return name
}

// patch returns the instruction that takes the place of a reference to x.
func (x *Resolved) patch(ins asm.Instruction, index int, modules map[string]ModuleFD) (asm.Instruction, error) {
	use := usageOf(&ins)
	switch {
	case use == called && x.Kind == Function, use == loaded, use == mapValue && x.Kind == Config:
	default:
		return ins, fmt.Errorf("%v can't refer to a %s", ins, x.Kind)
	}

	var module ModuleFD
	if x.Ref.Module != "" {
		var ok bool
		if module, ok = modules[x.Ref.Module]; !ok {
			return ins, fmt.Errorf("BTF of module %q is not open", x.Ref.Module)
		}
	}

	ins = withoutReference(ins)
	switch {
	case x.Kind == Config:
		// The offset goes where the kernel looks for it, in the second half.
		ins.Src, ins.Constant = asm.PseudoMapValue, int64(x.Offset)<<32
		ins = ins.WithReference(kconfigSection)
	case x.Absent && use == called:
		ins.Src, ins.Offset, ins.Constant = asm.R0, 0, int64(PoisonBase+index)
	case x.Absent:
		ins.Src, ins.Constant = asm.R0, 0
	case x.Kind == Symbol:
		ins.Src, ins.Constant = asm.R0, int64(x.Address)
	case use == called:
		ins.Src, ins.Offset, ins.Constant = asm.PseudoKfuncCall, module.Index, int64(x.Ref.ID)
	default:
		// The offset field is reserved here: a module is told by the FD in the
		// second half. cilium/ebpf v0.22.0 sets the fd_array index instead
		// (cilium/ebpf#2056).
		ins.Src, ins.Constant = pseudoBTFID, int64(x.Ref.ID)|int64(module.FD)<<32
	}
	return ins, nil
}

const pseudoBTFID = asm.R3 // BPF_PSEUDO_BTF_ID

// withoutReference drops the reference together with upstream's private notes
// on kfuncs, ksyms and kconfig, which would make its loader patch the
// instruction again.
func withoutReference(ins asm.Instruction) asm.Instruction {
	out := ins.WithMetadata(asm.Metadata{})
	if symbol := ins.Symbol(); symbol != "" {
		out = out.WithSymbol(symbol)
	}
	if source := ins.Source(); source != nil {
		out = out.WithSource(source)
	}
	if fn := btf.FuncMetadata(&ins); fn != nil {
		out = btf.WithFuncMetadata(out, fn)
	}
	if relo := btf.CORERelocationMetadata(&ins); relo != nil {
		out = btf.WithCORERelocationMetadata(out, relo)
	}
	return out
}

// Explain says what is wrong with the kfunc that the verifier complains about in
// the lines of a log: which one is absent and why, or that it is none for this
// type of program. Not ok if the log has another complaint.
//
// Mirrors libbpf fixup_log_missing_kfunc_call.
func (r *Resolution) Explain(log []string) (text string, ok bool) {
	for _, line := range slices.Backward(log) {
		if name, ok := between(line, "calling kernel function ", " is not allowed"); ok {
			return r.explainNotAllowed(name), true
		}
		number, ok := between(line+"\n", "invalid func unknown#", "\n")
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n < PoisonBase || n-PoisonBase >= uint64(len(r.Externs)) {
			continue
		}
		x := r.Externs[n-PoisonBase]
		return fmt.Sprintf("%s %q is called, but absent: %s", x.Kind, x.Name, x.Reason), true
	}
	return "", false
}

// between returns the text of a line between two others.
func between(line, before, after string) (string, bool) {
	_, rest, ok := strings.Cut(line, before)
	if !ok {
		return "", false
	}
	text, _, ok := strings.Cut(rest, after)
	return text, ok
}

// explainNotAllowed says that a kernel function is no kfunc. One that the object
// has no BTF for may be meant to come from elsewhere.
func (r *Resolution) explainNotAllowed(kern string) string {
	name, declared := kern, true
	for _, x := range r.Externs {
		if x.Kind == Function && btfx.EssentialName(x.Name) == kern {
			name, declared = x.Name, x.Declared != ""
			break
		}
	}
	return fmt.Sprintf("%q is a kernel function, but no kfunc that programs of this type may call%s", name, foreign(name, declared))
}
