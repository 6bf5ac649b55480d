package btfx

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// StaticOptions choose the functions that [MarkStatic] makes static. Nil means
// defaults.
type StaticOptions struct {
	// Only names the functions, which may be those that programs begin with.
	// Defaults to all subprograms and callbacks.
	Only []string
	// Except names functions that stay as they are. The target of a freplace
	// program has to be global, and only the caller knows which one that is.
	Except []string
	// FromFile tells that [File.Spec] made the spec, so that every address of a
	// function in it is right.
	FromFile bool
}

// MarkStatic gives global functions of a spec's programs static linkage in their
// func info: the verifier then follows each call of them with what the caller
// knows, instead of once, on their own, for any argument. A global function can't
// be a callback, take a pointer to a kernel type, or return nothing ("callback
// function not static", "Global function doesn't return scalar").
//
// Meant for objects whose compiler makes every function global, as Rust's does,
// or for functions picked by name. Other objects are better left alone:
// separate verification is cheaper, and [File.Spec] makes hidden functions
// static already, as libbpf does.
//
// Left global are functions with an arg: decl tag, which means something for
// global functions only, and exception callbacks, which the kernel wants global.
// A static function stays one, so marking twice is the same as once.
//
// The func info is replaced by an edited copy: types, and other specs that share
// them, don't change. In the BTF of an object both FUNCs end up; the kernel looks
// at the one that func info names.
//
// An error says that a name is that of no function with func info, that Only
// names a function which has to be global, or that the address of a function is
// loaded and FromFile isn't set; the spec is unchanged then. cilium/ebpf v0.22.0
// takes the first function of the section where the address of a global one is
// loaded. The kernel refuses that until the function is static, and then runs
// the wrong one.
func MarkStatic(spec *ebpf.CollectionSpec, opts *StaticOptions) error {
	if opts == nil {
		opts = new(StaticOptions)
	}

	fns := specFunctions(spec)
	static := make(map[string]bool)
	var errs []error
	for _, name := range slices.Concat(opts.Only, opts.Except) {
		if fns[name] == nil {
			errs = append(errs, fmt.Errorf("function %q: no program has it with func info", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fns)) {
		fn, named := fns[name], slices.Contains(opts.Only, name)
		if slices.Contains(opts.Except, name) || !named && (len(opts.Only) > 0 || !fn.subprogram) {
			continue
		}
		switch {
		case fn.keep != "" && named:
			errs = append(errs, fmt.Errorf("function %q: has to be global: %s", name, fn.keep))
		case fn.keep != "" || !fn.global:
		case fn.address && !opts.FromFile:
			errs = append(errs, fmt.Errorf("function %q: where its address is loaded, another function may be meant: read the object with btfx.File.Spec", name))
		default:
			static[name] = true
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}

	replaceStatic(spec, static)
	return nil
}

// specFunction is what decides about the linkage of a function in a spec.
type specFunction struct {
	global     bool
	subprogram bool   // is in a program without being its first function
	address    bool   // its address is loaded
	keep       string // why it has to stay global, empty if it need not
}

// specFunctions returns the functions that have func info, by name.
func specFunctions(spec *ebpf.CollectionSpec) map[string]*specFunction {
	fns := make(map[string]*specFunction)
	var addresses, callbacks []string
	for _, prog := range spec.Programs {
		for i := range prog.Instructions {
			ins := &prog.Instructions[i]
			if ins.IsLoadOfFunctionPointer() {
				addresses = append(addresses, ins.Reference())
			}
			typ := btf.FuncMetadata(ins)
			if typ == nil {
				continue
			}
			fn := fns[ins.Symbol()]
			if fn == nil {
				fn = new(specFunction)
				fns[ins.Symbol()] = fn
			}
			fn.global = fn.global || typ.Linkage == btf.GlobalFunc
			fn.subprogram = fn.subprogram || i > 0
			for _, tag := range slices.Concat(slices.Concat(typ.ParamTags...), typ.Tags) {
				if strings.HasPrefix(tag, "arg:") {
					fn.keep = fmt.Sprintf("decl tag %q is for global functions", tag)
				} else if name, ok := strings.CutPrefix(tag, "exception_callback:"); ok {
					callbacks = append(callbacks, name)
				}
			}
		}
	}

	for _, name := range addresses {
		if fn := fns[name]; fn != nil {
			fn.address = true
		}
	}
	for _, name := range callbacks {
		if fn := fns[name]; fn != nil {
			fn.keep = "it is an exception callback"
		}
	}
	return fns
}

// replaceStatic replaces the func info of functions by a static copy, the same
// one in all programs.
func replaceStatic(spec *ebpf.CollectionSpec, static map[string]bool) {
	copies := make(map[*btf.Func]*btf.Func)
	for _, prog := range spec.Programs {
		for i, ins := range prog.Instructions {
			fn := btf.FuncMetadata(&ins)
			if fn == nil || fn.Linkage != btf.GlobalFunc || !static[ins.Symbol()] {
				continue
			}
			if copies[fn] == nil {
				// Shallow, so that the prototype is still the one in the spec's types.
				cpy := *fn
				cpy.Linkage = btf.StaticFunc
				copies[fn] = &cpy
			}
			prog.Instructions[i] = btf.WithFuncMetadata(ins, copies[fn])
		}
	}
}
