package btfx

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// linkExceptionCallbacks appends the exception callbacks that programs name in
// a declaration tag: the kernel calls them, and no instruction refers to them.
//
// Closes the gap that cilium/ebpf v0.22.0 links only functions that are called.
// Mirrors the end of libbpf bpf_object__relocate_calls.
func (f *File) linkExceptionCallbacks(spec *ebpf.CollectionSpec) error {
	var functions map[string]asm.Instructions
	for _, name := range slices.Sorted(maps.Keys(spec.Programs)) {
		prog := spec.Programs[name]
		callback, ok := exceptionCallback(prog.Instructions)
		if !ok {
			continue
		}
		if functions == nil {
			var err error
			if functions, err = f.textFunctions(spec.Types); err != nil {
				return err
			}
		}
		insns := functions[callback]
		if insns == nil {
			return fmt.Errorf("program %q: exception callback %q is not a function in .text", name, callback)
		}
		prog.Instructions = appendFunctions(prog.Instructions, insns)
	}
	return nil
}

// exceptionCallback returns the function named in the tag exception_callback of
// a program.
func exceptionCallback(insns asm.Instructions) (string, bool) {
	if len(insns) == 0 {
		return "", false
	}
	fn := btf.FuncMetadata(&insns[0])
	if fn == nil {
		return "", false
	}
	for _, tag := range fn.Tags {
		if name, ok := strings.CutPrefix(tag, "exception_callback:"); ok {
			return name, true
		}
	}
	return "", false
}

// appendFunctions appends functions that a program does not have yet.
func appendFunctions(prog, functions asm.Instructions) asm.Instructions {
	has := make(map[string]bool)
	for i := range prog {
		has[prog[i].Symbol()] = true
	}
	skip := false
	for _, ins := range functions {
		if name := ins.Symbol(); name != "" {
			skip = has[name]
		}
		if !skip {
			prog = append(prog, ins)
		}
	}
	return prog
}

// textFunctions returns the functions of .text, each with those that it calls
// appended, by name. types are those of the spec that they are to be put into:
// the file is read again, with .text under a name that makes upstream keep
// what is in it.
func (f *File) textFunctions(types *btf.Spec) (map[string]asm.Instructions, error) {
	const shown = ".text.functions"
	spec, err := f.specNaming(shown)
	if err != nil {
		return nil, err
	}
	functions := make(map[string]asm.Instructions)
	for name, prog := range spec.Programs {
		if prog.SectionName != shown {
			continue
		}
		for i := range prog.Instructions {
			if err := adoptFunc(&prog.Instructions[i], spec.Types, types); err != nil {
				return nil, fmt.Errorf("function %q: %w", name, err)
			}
		}
		functions[name] = prog.Instructions
	}
	return functions, nil
}

// adoptFunc makes the func info of an instruction refer to another reading of
// the same types.
func adoptFunc(ins *asm.Instruction, from, to *btf.Spec) error {
	fn := btf.FuncMetadata(ins)
	if fn == nil {
		return nil
	}
	id, err := from.TypeID(fn)
	if err != nil {
		return err
	}
	typ, err := to.TypeByID(id)
	if err != nil {
		return err
	}
	adopted, ok := typ.(*btf.Func)
	if !ok || adopted.Name != fn.Name {
		return fmt.Errorf("type %d is %v, want %v", id, typ, fn)
	}
	*ins = btf.WithFuncMetadata(*ins, adopted)
	return nil
}
