package structops

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/ebpfx/ebpfx/kfunc"
)

// MissingPolicy decides about callbacks for which the kernel's ops type has no
// member, because the object was written for a newer kernel.
type MissingPolicy uint8

const (
	// Strict makes such a callback an error that wraps [ebpf.ErrNotSupported],
	// unless [Options.MayDrop] names it. It is the rule of libbpf.
	Strict MissingPolicy = iota

	// DropCallbacks leaves such callbacks out, and does not load their programs.
	// What the programs need of the kernel then need not be there either.
	DropCallbacks
)

// Dropped is a callback that was left out because the kernel's ops type has no
// such member.
type Dropped struct {
	Map, Member, Program string
}

// Mismatch is a callback whose prototype in the object differs from the
// kernel's. The kernel calls the program with its own arguments; whether the
// program can live with them is decided by the verifier, so a Mismatch is no
// error. If the verifier refuses the program, the error has both prototypes.
type Mismatch struct {
	Map, Member, Program string
	// Local and Kernel are the two prototypes, as declarations in C.
	Local, Kernel string
}

// String says what the prototypes are.
func (m Mismatch) String() string {
	return fmt.Sprintf("map %q: member %q: program %q is written for %q, kernel calls %q", m.Map, m.Member, m.Program, m.Local, m.Kernel)
}

// String says what was dropped.
func (d Dropped) String() string {
	return fmt.Sprintf("map %q: member %q: kernel has none, program %q is not loaded for it", d.Map, d.Member, d.Program)
}

// mayDrop tells whether a callback may be left out.
func (o *Options) mayDrop(member string) bool {
	return o != nil && (o.Missing == DropCallbacks || slices.Contains(o.MayDrop, member))
}

// withMissingExterns completes an error of the plan with the externs that the
// kernel lacks, so that one run shows all there is to say about an object and a
// kernel.
func (l *loader) withMissingExterns(planErr error) error {
	used := make(map[string]bool)
	for name, ops := range l.obj.Ops {
		for _, prog := range ops.Programs {
			used[prog] = used[prog] || !ops.Optional() || l.sel.named(name)
		}
	}
	maps.DeleteFunc(l.obj.Spec.Programs, func(name string, prog *ebpf.ProgramSpec) bool {
		return prog.Type == ebpf.StructOps && !used[name]
	})
	externs, err := kfunc.Externs(l.obj.Spec, l.obj.file)
	if err == nil {
		_, err = kfunc.Resolve(externs, l.opts.Kernel, l.opts.Externs)
	}
	return errors.Join(planErr, err)
}
