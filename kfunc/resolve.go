package kfunc

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
)

// Options for [Resolve] and [Fixup]; nil means defaults. Readers are consumed.
type Options struct {
	// ELF is the file that the spec was read from. Only [Fixup] needs it: for
	// the binding of the externs.
	ELF io.ReaderAt
	// Kconfig is text in the format of a kernel's .config that takes
	// precedence over the kernel's configuration, as
	// bpf_object_open_opts.kconfig does.
	Kconfig io.Reader
	// KernelConfig replaces the running kernel's configuration file, which is
	// /boot/config-<release> or /proc/config.gz. Plain text or gzip.
	KernelConfig io.Reader
	// KernelVersion replaces the running kernel's LINUX_KERNEL_VERSION,
	// 0x060c00 for Linux 6.12.0.
	KernelVersion uint32
	// Kallsyms replaces /proc/kallsyms.
	Kallsyms io.Reader
}

// Resolved is what an extern means on a kernel. Plain data.
type Resolved struct {
	Name string
	Kind Kind
	Weak bool
	// Declared is the object's declaration in C. Empty if the object has no
	// BTF for the extern: then the kernel's type was taken unchecked.
	Declared string
	// Kernel is the kernel's declaration of a function or variable in C. Empty
	// if the kernel has none.
	Kernel string

	Ref     btfx.Ref // of a function or variable
	Address uint64   // of a symbol
	Offset  uint32   // of a config value in .kconfig, in bytes

	// Absent is set if the extern is missing or incompatible, and weak. It
	// loads as 0, and a call of it is a call of [PoisonBase] plus the index.
	Absent bool
	// Reason says why the extern is absent.
	Reason string
}

// Resolution is the answer for all externs of an object. Plain data.
type Resolution struct {
	// Externs, sorted by name.
	Externs []Resolved
	// Kconfig is the value of the .kconfig map in the machine's byte order,
	// nil if there is none.
	Kconfig []byte
}

// MissingError is returned if the kernel lacks an extern that is not weak. It
// matches [btf.ErrNotFound] and [ebpf.ErrNotSupported].
type MissingError struct {
	Name string // in the object, flavor included
	Kind Kind
	// BindingUnknown is copied from the [Extern].
	BindingUnknown bool
	// Reason says what was looked for where, and maybe what helps.
	Reason string
}

func (e *MissingError) Error() string {
	if e.BindingUnknown {
		return fmt.Sprintf("extern %q: not resolved: %s (the spec does not tell whether it is weak: give its file in structops.Options.ELF)", e.Name, e.Reason)
	}
	return fmt.Sprintf("extern %q (strong): not resolved: %s", e.Name, e.Reason)
}

func (e *MissingError) Unwrap() []error {
	return []error{btf.ErrNotFound, ebpf.ErrNotSupported}
}

// IncompatibleError is returned if the kernel has a function or variable of
// another type than the object declares.
type IncompatibleError struct {
	Name   string // in the object, flavor included
	Kind   Kind
	Module string // that has the kernel's type, empty for vmlinux
	// Wanted and Kernel are the two declarations in C.
	Wanted, Kernel string
	// Err is the difference that was found first.
	Err error
}

func (e *IncompatibleError) Error() string {
	return fmt.Sprintf("extern %q: %s", e.Name, e.reason())
}

func (e *IncompatibleError) reason() string {
	where := "the kernel"
	if e.Module != "" {
		where = fmt.Sprintf("module %q", e.Module)
	}
	return fmt.Sprintf("incompatible %s: the object declares %q, %s has %q: %v", e.Kind, e.Wanted, where, e.Kernel, e.Err)
}

func (e *IncompatibleError) Unwrap() error { return e.Err }

// Resolve looks the externs up. All failures are reported in one joined error:
// [*MissingError] and [*IncompatibleError] for what the kernel lacks.
//
// k may be nil for the running kernel. It is not touched unless an extern
// needs kernel BTF; /proc/kallsyms is read once if there is a [Symbol], the
// kernel's configuration if there is a [Config] value that opts.Kconfig does
// not have.
//
// A kfunc is searched by its essential name and compared with the object's
// prototype; where several weak flavors of one kfunc are declared, the kernel's
// prototype so selects one. A function with unknown binding counts as weak.
//
// Mirrors libbpf bpf_object__resolve_externs. Differs from libbpf: reports
// everything at once; notices a kallsyms that hides all addresses; and a
// kallsyms that can't be read does no harm to weak symbols.
func Resolve(externs []Extern, k *btfx.Kernel, opts *Options) (*Resolution, error) {
	r := new(Resolution)
	if len(externs) == 0 {
		return r, nil
	}
	if opts == nil {
		opts = new(Options)
	}
	if k == nil {
		var err error
		if k, err = btfx.LoadKernel(); err != nil {
			return nil, err
		}
	}

	externs = slices.Clone(externs)
	slices.SortStableFunc(externs, func(a, b Extern) int { return strings.Compare(a.Name, b.Name) })
	k.Want(kernelNames(externs)...)

	r.Externs = make([]Resolved, len(externs))
	errs := make([]error, len(externs))
	for i, e := range externs {
		x := &r.Externs[i]
		*x = Resolved{Name: e.Name, Kind: e.Kind, Weak: e.Weak, Declared: prototype(e.Type)}
		switch {
		case e.Kind == Function:
			errs[i] = resolveFunction(x, e, k)
		case e.Kind == Variable:
			errs[i] = resolveVariable(x, e, k)
		case e.Kind == Symbol && e.Type == nil:
			errs[i] = resolveUntyped(x, e, k)
		}
	}
	resolveSymbols(r.Externs, externs, opts.Kallsyms, errs)

	var err error
	r.Kconfig, err = resolveConfig(r.Externs, externs, k, opts, errs)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	return r, nil
}

// kernelNames returns the names that will be looked up in kernel BTF.
func kernelNames(externs []Extern) []string {
	var names []string
	for _, e := range externs {
		switch {
		case e.Kind == Function:
			names = append(names, btfx.EssentialName(e.Name))
		case e.Kind == Variable, e.Kind == Symbol && e.Type == nil:
			names = append(names, e.Name)
		case e.Kind == Config:
			names = append(names, virtualNames(e.Name)...)
		}
	}
	return names
}

// resolveFunction mirrors libbpf bpf_object__resolve_ksym_func_btf_id.
func resolveFunction(x *Resolved, e Extern, k *btfx.Kernel) error {
	ref, kern, err := lookup[*btf.Func](k, btfx.KindFunc, btfx.EssentialName(e.Name))
	if lacking(err) {
		return x.missing(e, err.Error()+foreign(e.Name, e.Type != nil))
	}
	if err != nil {
		return fmt.Errorf("extern %q: %w", e.Name, err)
	}
	x.Kernel = prototype(kern)

	if local, ok := e.Type.(*btf.Func); ok {
		if err := btf.CheckTypeCompatibility(withKernelVoids(local.Type, kern.Type), kern.Type); err != nil {
			err := &IncompatibleError{e.Name, Function, ref.Module, x.Declared, x.Kernel, explainAux(local, kern, err)}
			if !e.Weak && !e.BindingUnknown {
				return err
			}
			x.Absent, x.Reason = true, err.reason()
			return nil
		}
	}
	x.Ref = ref
	return nil
}

// resolveVariable mirrors libbpf bpf_object__resolve_ksym_var_btf_id: a
// variable has no flavors, and another type is an error even if it is weak.
func resolveVariable(x *Resolved, e Extern, k *btfx.Kernel) error {
	ref, kern, err := lookup[*btf.Var](k, btfx.KindVar, e.Name)
	if lacking(err) {
		return x.missing(e, fmt.Sprintf("%v, which has per-CPU variables only (others: extern const void %s __ksym)", err, e.Name))
	}
	if err != nil {
		return fmt.Errorf("extern %q: %w", e.Name, err)
	}
	x.Kernel = prototype(kern)

	if local, ok := e.Type.(*btf.Var); ok {
		if err := btf.CheckTypeCompatibility(local.Type, kern.Type); err != nil {
			return &IncompatibleError{e.Name, Variable, ref.Module, x.Declared, x.Kernel, err}
		}
	}
	x.Ref = ref
	return nil
}

// lookup finds a type of the kernel. The error is [lacking] if there is none.
func lookup[T btf.Type](k *btfx.Kernel, kind btfx.Kind, name string) (ref btfx.Ref, typ T, err error) {
	if ref, err = k.Find(kind, name); err != nil {
		return ref, typ, err
	}
	found, err := k.Type(ref)
	if err != nil {
		// Not %w: a type ID that is not found is broken BTF, not a lack.
		return ref, typ, fmt.Errorf("%v %q: %v", kind, name, err)
	}
	typ, ok := found.(T)
	if !ok {
		return ref, typ, fmt.Errorf("%v %q: kernel BTF has %v", kind, name, found)
	}
	return ref, typ, nil
}

// resolveUntyped makes a symbol without BTF a variable if the kernel has one
// of that name, and otherwise leaves it to kallsyms.
func resolveUntyped(x *Resolved, e Extern, k *btfx.Kernel) error {
	if _, err := k.Find(btfx.KindVar, e.Name); lacking(err) {
		return nil
	}
	x.Kind = Variable
	return resolveVariable(x, e, k)
}

// missing records an extern as absent, or returns an error if it must not be.
func (x *Resolved) missing(e Extern, reason string) error {
	if e.Weak || e.BindingUnknown && e.Kind == Function {
		x.Absent, x.Reason = true, reason
		return nil
	}
	if e.Kind == Function && e.Type != nil {
		reason += ": a newer kernel or a module that is not loaded may have it, or another object file that was not linked in"
	}
	return &MissingError{e.Name, e.Kind, e.BindingUnknown, reason}
}

// lacking tells whether a lookup failed because the kernel has no such type,
// or no BTF at all.
func lacking(err error) bool {
	return errors.Is(err, btf.ErrNotFound) || errors.Is(err, ebpf.ErrNotSupported)
}

// foreign tells what to do about a function without BTF that is none of the
// kernel's: compilers call their runtime library by undefined symbols, too.
func foreign(name string, declared bool) string {
	if declared {
		return ""
	}
	for _, prefix := range []string{"_R", "_ZN"} {
		if strings.HasPrefix(name, prefix) {
			return ": a Rust function of another crate, link it in or avoid code that may panic"
		}
	}
	for _, prefix := range []string{"mem", "str", "__"} {
		if strings.HasPrefix(name, prefix) {
			return ": a function of the compiler's runtime has to be linked in: link compiler_builtins (Rust)"
		}
	}
	return ""
}

// explainAux names a defect of kernel BTF that looks like another prototype:
// pahole before 1.26 leaves the hidden argument `aux` in.
func explainAux(local, kern *btf.Func, err error) error {
	l, lok := local.Type.(*btf.FuncProto)
	k, kok := kern.Type.(*btf.FuncProto)
	if lok && kok && len(k.Params) == len(l.Params)+1 && k.Params[len(l.Params)].Name == "aux" {
		return fmt.Errorf("%w (kernel BTF made by pahole before 1.26 shows the hidden argument aux)", err)
	}
	return err
}
