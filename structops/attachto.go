package structops

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
)

// attachTo looks up what a program of another type than struct_ops attaches
// to: a function of the program given as AttachTarget, or something of the
// kernel.
//
// Mirrors cilium/ebpf newProgramWithOptions. Differs from it, as libbpf does: of
// several kernel types with one name the first is taken, "MODULE:NAME" names the
// module, and lsm_cgroup programs attach to a function, too.
func (p *program) attachTo(l *loader) error {
	if target := p.spec.AttachTarget; target != nil {
		id, err := findInProgram(target, p.spec)
		if err != nil {
			return fmt.Errorf("attach %s/%s: %w", p.spec.Type, p.spec.AttachType, err)
		}
		p.attr.AttachBTFID = uint32(id)
		p.attr.AttachFD = uint32(target.FD())
		return nil
	}
	kind, prefix := attachTarget(p.spec.Type, p.spec.AttachType)
	switch {
	case p.spec.Type == ebpf.Extension:
		return fmt.Errorf("section %q replaces a function of another program: set AttachTarget in its ProgramSpec", p.spec.SectionName)
	case kind == 0:
		return nil
	case p.spec.AttachTo == "":
		return fmt.Errorf("section %q does not say what to attach to: set AttachTo in its ProgramSpec, and AttachTarget if that is a program", p.spec.SectionName)
	}
	ref, err := findTarget(l.opts.Kernel, kind, prefix, p.spec.AttachTo)
	if errors.Is(err, btf.ErrNotFound) {
		return fmt.Errorf("attach %s/%s: kernel has no %s%s: %w: %w", p.spec.Type, p.spec.AttachType, prefix, p.spec.AttachTo, err, ebpf.ErrNotSupported)
	}
	if err != nil {
		return fmt.Errorf("attach %s/%s: %w", p.spec.Type, p.spec.AttachType, err)
	}
	if ref.Module != "" {
		if err := l.openModule(ref.Module); err != nil {
			return err
		}
	}
	p.attr.AttachBTFID = uint32(ref.ID)
	p.attr.AttachFD = uint32(l.moduleFD(ref))
	return nil
}

// wantTargets announces what programs attach to, so that the pass over the
// kernel's BTF that finds the other names finds these, too.
func (l *loader) wantTargets() {
	for _, name := range slices.Sorted(maps.Keys(l.obj.Spec.Programs)) {
		prog := l.obj.Spec.Programs[name]
		kind, prefix := attachTarget(prog.Type, prog.AttachType)
		if kind != 0 && prog.AttachTo != "" && prog.AttachTarget == nil {
			_, name := splitTarget(prog.AttachTo)
			l.opts.Kernel.Want(prefix + name)
		}
	}
}

// findTarget finds what programs attach to. Mirrors libbpf find_kernel_btf_id.
func findTarget(k *btfx.Kernel, kind btfx.Kind, prefix, target string) (btfx.Ref, error) {
	module, name := splitTarget(target)
	switch module {
	case "":
		return k.Find(kind, prefix+name)
	case "vmlinux":
		module = ""
	}
	return k.FindIn(module, kind, prefix+name)
}

// splitTarget returns the module that a target is looked up in, "vmlinux" for the
// kernel proper and empty for all, and the name: "MODULE:NAME" or "NAME".
func splitTarget(target string) (module, name string) {
	if module, name, ok := strings.Cut(target, ":"); ok {
		return module, name
	}
	return "", target
}

// attachTarget returns the kind and the prefix of the name of the kernel type
// that programs of a type attach to; kind 0 if there is none.
func attachTarget(typ ebpf.ProgramType, attach ebpf.AttachType) (kind btfx.Kind, prefix string) {
	switch {
	case typ == ebpf.LSM && (attach == ebpf.AttachLSMMac || attach == ebpf.AttachLSMCgroup):
		return btfx.KindFunc, "bpf_lsm_"
	case typ != ebpf.Tracing:
		return 0, ""
	}
	switch attach {
	case ebpf.AttachTraceIter:
		return btfx.KindFunc, "bpf_iter_"
	case ebpf.AttachTraceFEntry, ebpf.AttachTraceFExit, ebpf.AttachModifyReturn:
		return btfx.KindFunc, ""
	case ebpf.AttachTraceRawTp:
		return btfx.KindTypedef, "btf_trace_"
	}
	return 0, ""
}

// findInProgram returns the ID of the function of a loaded program that another
// one replaces or traces.
func findInProgram(target *ebpf.Program, spec *ebpf.ProgramSpec) (btf.TypeID, error) {
	handle, err := target.Handle()
	if err != nil {
		return 0, fmt.Errorf("BTF of %v: %w", target, err)
	}
	defer handle.Close()
	types, err := handle.Spec(nil)
	if err != nil {
		return 0, err
	}
	var fn *btf.Func
	if err := types.TypeByName(spec.AttachTo, &fn); err != nil {
		return 0, fmt.Errorf("function %q of %v: %w", spec.AttachTo, target, err)
	}
	return types.TypeID(fn)
}
