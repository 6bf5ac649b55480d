package kfunc

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
)

// Fixup edits a spec so that the loader of cilium/ebpf v0.22.0 loads what it
// would refuse or get wrong: flavors of kfuncs (cilium/ebpf#2057), weak kfuncs
// with another prototype, kernel variables, kconfig values and externs without
// BTF. k may be nil for the running kernel. A spec without externs stays as it
// is, and so does one that was fixed up before.
//
// With opts.ELF the binding of every extern is known. Without it, externs that
// the kernel lacks are left to upstream, which knows the binding; a kfunc with
// another prototype counts as weak.
//
// The spec is bound to the kernel afterwards: calls and loads carry its BTF
// IDs and addresses. Fix up a spec before it is copied.
//
// Limits: a [ebpf.ProgramSpec] has no fd_array, so kfuncs of modules are left
// to upstream under their essential name, and their addresses
// (bpf_ksym_exists) can't be loaded. Several kconfig values are left to
// upstream as well, unless the spec comes from [btfx.File.Spec].
//
// After an error the spec may be fixed up in part. The errors are those of [Externs], [Resolve] and [Resolution.Apply].
func Fixup(spec *ebpf.CollectionSpec, k *btfx.Kernel, opts *Options) error {
	var file *btfx.File
	if opts != nil && opts.ELF != nil {
		var err error
		if file, err = btfx.NewFile(opts.ELF); err != nil {
			return err
		}
	}
	externs, nameless, err := list(spec, file)
	if err != nil {
		return err
	}

	// Upstream looks typeless symbols up as well, and knows the weak ones.
	leave := map[string]bool{"": nameless}
	externs = slices.DeleteFunc(externs, func(e Extern) bool {
		leave[e.Name] = e.Kind == Symbol && e.Type != nil && e.BindingUnknown
		return leave[e.Name]
	})
	r, err := Resolve(externs, k, opts)
	if err != nil {
		return err
	}

	var errs []error
	for i, x := range r.Externs {
		switch e := externs[i]; {
		case x.Kind == Function && x.Ref.Module != "":
			leave[x.Name] = true
			if err := leaveModule(spec, e, x.Ref.Module); err != nil {
				errs = append(errs, err)
			}
		case x.Absent && x.Kernel == "" && e.BindingUnknown && e.Type != nil:
			leave[x.Name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Programs)) {
		if err := r.apply(spec.Programs[name].Instructions, nil, leave); err != nil {
			errs = append(errs, fmt.Errorf("program %q: %w", name, err))
		}
	}
	if m := r.KconfigMap(); m != nil {
		if spec.Maps == nil {
			spec.Maps = make(map[string]*ebpf.MapSpec)
		}
		spec.Maps[kconfigSection] = m
	}
	return errors.Join(errs...)
}

// leaveModule renames a kfunc of a module to its essential name. Upstream's
// notes on the calls point to the same FUNC.
func leaveModule(spec *ebpf.CollectionSpec, e Extern, module string) error {
	for _, name := range slices.Sorted(maps.Keys(spec.Programs)) {
		insns := spec.Programs[name].Instructions
		for i := range insns {
			if ins := &insns[i]; ins.Reference() == e.Name && !ins.IsKfuncCall() {
				return fmt.Errorf("program %q: instruction %d: extern %q: upstream's loader can't do this with a kfunc of module %q, load with package structops: %w",
					name, i, e.Name, module, ebpf.ErrNotSupported)
			}
		}
	}
	if fn, ok := e.Type.(*btf.Func); ok {
		fn.Name = btfx.EssentialName(fn.Name)
	}
	return nil
}
