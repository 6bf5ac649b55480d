package structops

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
)

// collectRelocations collects the CO-RE relocations of all programs, which are
// resolved together.
func (l *loader) collectRelocations() error {
	l.relos, l.relocated, l.relocations = nil, nil, nil
	for _, name := range slices.Sorted(maps.Keys(l.obj.Spec.Programs)) {
		insns := l.obj.Spec.Programs[name].Instructions
		for i := range insns {
			if relo := btf.CORERelocationMetadata(&insns[i]); relo != nil {
				l.relos, l.relocated = append(l.relos, relo), append(l.relocated, &insns[i])
			}
		}
	}
	if len(l.relos) == 0 || l.opts.Programs.KernelTypes != nil {
		return nil
	}
	var err error
	l.relocations, err = btfx.NewRelocations(l.relos, l.obj.Spec.Types)
	return err
}

// relocateCORE applies the CO-RE relocations.
func (l *loader) relocateCORE() error {
	switch {
	case len(l.relos) == 0:
		return nil
	case l.opts.Programs.KernelTypes != nil:
		return l.relocateAgainst(l.opts.Programs.KernelTypes)
	}
	fixups, err := l.relocations.Resolve(l.opts.Kernel, l.obj.Spec.ByteOrder, l.builder.Add)
	if err != nil {
		return err
	}
	for i := range fixups {
		if err := fixups[i].Apply(l.relocated[i]); err != nil {
			return fmt.Errorf("%s: %w", l.relos[i], err)
		}
	}
	return nil
}

// relocateAgainst uses the types that the caller gave in place of the kernel's.
func (l *loader) relocateAgainst(types *btf.Spec) error {
	targets := append([]*btf.Spec{types}, l.opts.Programs.ExtraRelocationTargets...)
	fixups, err := btf.CORERelocate(l.relos, targets, l.obj.Spec.ByteOrder, l.builder.Add)
	if err != nil {
		return fmt.Errorf("CO-RE: %w", err)
	}
	for i := range fixups {
		if err := fixups[i].Apply(l.relocated[i]); err != nil {
			return fmt.Errorf("CO-RE: %s: %w", l.relos[i], err)
		}
	}
	return nil
}
