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
	if len(l.relos) == 0 {
		return nil
	}
	var err error
	l.relocations, err = btfx.NewRelocations(l.relos, l.obj.Spec.Types)
	return err
}

// relocateCORE applies the CO-RE relocations.
func (l *loader) relocateCORE() error {
	if len(l.relos) == 0 {
		return nil
	}
	fixups, err := l.fixups()
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

// fixups solves the relocations with the kernel's types, or with those that the
// caller gave in their place.
func (l *loader) fixups() ([]btfx.Fixup, error) {
	order := l.obj.Spec.ByteOrder
	types := l.opts.Programs.KernelTypes
	if types == nil {
		return l.relocations.Resolve(l.opts.Kernel, order, l.builder.Add)
	}
	targets := append([]*btf.Spec{types}, l.opts.Programs.ExtraRelocationTargets...)
	return l.relocations.ResolveAgainst(targets, order, l.builder.Add)
}
