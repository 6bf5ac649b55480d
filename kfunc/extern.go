package kfunc

import (
	"debug/elf"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
)

// The DATASECs that hold externs. No ELF section corresponds to them.
const (
	ksymsSection   = ".ksyms"
	kconfigSection = ".kconfig"
)

// Kind tells what an extern declares.
type Kind uint8

// The kinds of externs.
const (
	Function Kind = iota + 1 // a kfunc
	Variable                 // a kernel variable with a type
	Symbol                   // an address, `extern const void x __ksym`
	Config                   // a value in .kconfig
)

func (k Kind) String() string {
	switch k {
	case Function:
		return "kfunc"
	case Variable:
		return "variable"
	case Symbol:
		return "symbol"
	case Config:
		return "kconfig value"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Extern is a declaration that the object leaves to the kernel.
type Extern struct {
	Name string
	Kind Kind
	// Weak is the binding STB_WEAK: the extern may be absent.
	Weak bool
	// BindingUnknown is set if the extern was listed without its file: a spec
	// does not tell whether an extern is weak. Weak is false then.
	BindingUnknown bool
	// Type is a *btf.Func or *btf.Var of the object, nil if it has no BTF for
	// the extern, as in Rust. Such an extern is a [Function] if it is called
	// and a [Symbol] otherwise, which [Resolve] turns into a [Variable] if
	// kernel BTF has one of that name.
	Type btf.Type
}

// Externs lists the externs that the programs of a spec refer to, sorted by
// name. The spec is not changed.
//
// A reference to an extern is a call or a 64-bit load whose reference is
// neither a symbol of the program itself nor a map. file is the file that the
// spec was read from, be it by [btfx.File.Spec] or by upstream's reader; it
// tells the binding. It may be nil for a spec of upstream's reader, see
// [Extern.BindingUnknown]. That reader loses the names of kconfig values: an
// object with several gives an error that wraps [ebpf.ErrNotSupported], unless
// its spec comes from [btfx.File.Spec].
//
// Mirrors libbpf bpf_object__collect_externs. Differs from libbpf: an extern
// without BTF is listed, one that no instruction refers to is not.
func Externs(spec *ebpf.CollectionSpec, file *btfx.File) ([]Extern, error) {
	externs, nameless, err := list(spec, file)
	if err == nil && nameless {
		err = fmt.Errorf("kconfig values: the spec does not tell which instruction loads which: give its file in structops.Options.ELF: %w", ebpf.ErrNotSupported)
	}
	return externs, err
}

// list is [Externs]. nameless is set if loads of kconfig values are left over:
// upstream's reader notes only their offset, in private, so a value has a name
// if it is the only one.
func list(spec *ebpf.CollectionSpec, file *btfx.File) (externs []Extern, nameless bool, err error) {
	uses, nameless := references(spec, file)
	if len(uses) == 0 && !nameless {
		return nil, false, nil
	}

	decls, err := declarations(spec, file)
	if err != nil {
		return nil, nameless, err
	}
	if name, ok := onlyConfig(decls); nameless && ok {
		uses[name], nameless = mapValue, false
	}

	var errs []error
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		use, decl := uses[name], decls[name]
		if use == mapValue && decl.section != kconfigSection {
			continue // a map that is no longer in the spec
		}
		e := Extern{Name: name, Type: decl.typ}
		if e.Kind, err = kindOf(use, decl); err != nil {
			errs = append(errs, fmt.Errorf("extern %q: %w", name, err))
			continue
		}
		if file != nil {
			sym, _ := file.Undefined(name)
			e.Weak = sym.Binding == elf.STB_WEAK
		} else {
			// Upstream's reader refuses weak kconfig values.
			e.BindingUnknown = e.Kind != Config
		}
		externs = append(externs, e)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nameless, err
	}
	return externs, nameless, nil
}

// usage is how instructions refer to an extern, a bit mask.
type usage uint8

const (
	called   usage = 1 << iota // call
	loaded                     // ld_imm64
	mapValue                   // ld_imm64 of a map value, as upstream's reader has a kconfig value
)

// references collects the names that programs refer to and that neither the
// program nor the spec defines. Function addresses (BPF_PSEUDO_FUNC) are never
// externs.
func references(spec *ebpf.CollectionSpec, file *btfx.File) (uses map[string]usage, nameless bool) {
	uses = make(map[string]usage)
	for _, prog := range spec.Programs {
		own := symbols(prog.Instructions)
		for i := range prog.Instructions {
			ins := &prog.Instructions[i]
			nameless = nameless || isNameless(ins)
			name, use := ins.Reference(), usageOf(ins)
			if name == "" || use == 0 || own[name] {
				continue
			}
			if use == mapValue && spec.Maps[name] != nil {
				continue
			}
			if file != nil && uses[name] == 0 {
				if _, ok := file.Undefined(name); !ok {
					continue
				}
			}
			uses[name] |= use
		}
	}
	return uses, nameless
}

// isNameless tells whether an instruction loads a kconfig value without a
// reference, as upstream's reader leaves it.
func isNameless(ins *asm.Instruction) bool {
	return ins.OpCode.IsDWordLoad() && ins.Src == asm.PseudoMapValue && ins.Constant == 0 && ins.Reference() == "" && ins.Map() == nil
}

// usageOf returns how an instruction would use an extern, 0 if it can't.
func usageOf(ins *asm.Instruction) usage {
	switch {
	case ins.IsFunctionCall() || ins.IsKfuncCall():
		return called
	case !ins.OpCode.IsDWordLoad():
		return 0
	case ins.Src == asm.R0:
		return loaded
	case ins.Src == asm.PseudoMapValue:
		return mapValue
	}
	return 0
}

// symbols returns the names that instructions define.
func symbols(insns asm.Instructions) map[string]bool {
	names := make(map[string]bool)
	for i := range insns {
		if name := insns[i].Symbol(); name != "" {
			names[name] = true
		}
	}
	return names
}

// declaration is what the object's BTF says about an extern.
type declaration struct {
	section string // .ksyms, .kconfig, or empty: declared without a section
	typ     btf.Type
}

// declarations returns the externs of the object's BTF by name.
func declarations(spec *ebpf.CollectionSpec, file *btfx.File) (map[string]declaration, error) {
	decls := make(map[string]declaration)
	if spec.Types == nil {
		return decls, nil
	}

	// A FUNC without a section, `extern void f(void)`, at least has a prototype.
	for typ, err := range spec.Types.All() {
		if err != nil {
			return nil, fmt.Errorf("object BTF: %w", err)
		}
		switch t := typ.(type) {
		case *btf.Func:
			if t.Linkage == btf.ExternFunc {
				decls[t.Name] = declaration{typ: t}
			}
		case *btf.Var:
			if t.Linkage == btf.ExternVar {
				decls[t.Name] = declaration{typ: t}
			}
		}
	}

	for _, section := range []string{ksymsSection, kconfigSection} {
		types, err := datasec(spec, file, section)
		if err != nil {
			return nil, fmt.Errorf("DATASEC %q: %w", section, err)
		}
		for name, typ := range types {
			decls[name] = declaration{section, typ}
		}
	}
	return decls, nil
}

// onlyConfig returns the name of the only kconfig value, if there is only one.
func onlyConfig(decls map[string]declaration) (name string, ok bool) {
	for n, decl := range decls {
		if decl.section == kconfigSection {
			if ok {
				return "", false
			}
			name, ok = n, true
		}
	}
	return name, ok
}

// datasec returns the VARs and FUNCs of a DATASEC by name. The file is asked
// first, because its view hides these DATASECs from upstream's reader, but
// keeps the types and their IDs.
func datasec(spec *ebpf.CollectionSpec, file *btfx.File, section string) (map[string]btf.Type, error) {
	types := make(map[string]btf.Type)
	if file == nil {
		var ds *btf.Datasec
		if err := spec.Types.TypeByName(section, &ds); errors.Is(err, btf.ErrNotFound) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		for _, v := range ds.Vars {
			types[v.Type.TypeName()] = v.Type
		}
		return types, nil
	}

	for _, v := range file.Datasec(section) {
		typ, err := spec.Types.TypeByID(v.ID)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", v.Name, err)
		}
		// Fixup may have given a FUNC its essential name.
		if name := typ.TypeName(); name != v.Name && name != btfx.EssentialName(v.Name) {
			return nil, fmt.Errorf("%q: type %d of the spec is %v: the spec is not of this file", v.Name, v.ID, typ)
		}
		types[v.Name] = typ
	}
	return types, nil
}

// kindOf tells the kind of an extern from its declaration, or from its use if
// there is none.
func kindOf(use usage, decl declaration) (Kind, error) {
	switch typ := decl.typ.(type) {
	case nil:
		if use&called != 0 {
			return Function, nil
		}
		return Symbol, nil
	case *btf.Func:
		if decl.section == kconfigSection {
			return 0, fmt.Errorf("function in DATASEC %q: %w", kconfigSection, ebpf.ErrNotSupported)
		}
		return Function, nil
	case *btf.Var:
		if use&called != 0 {
			return 0, errors.New("is called, but declared as variable")
		}
		if decl.section == kconfigSection {
			return Config, nil
		}
		if decl.section == "" {
			return 0, errors.New("declared without __ksym or __kconfig, so another object file has it: link the two (bpftool gen object)")
		}
		if _, typeless := btf.UnderlyingType(typ.Type).(*btf.Void); typeless {
			return Symbol, nil
		}
		return Variable, nil
	default:
		return 0, fmt.Errorf("%T in DATASEC %q, expected a variable or function", typ, decl.section)
	}
}
