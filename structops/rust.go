package structops

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
)

// isRust tells whether the map belongs to an object that was compiled from Rust.
func (o *Ops) isRust() bool { return o.object != nil && o.object.isRust() }

func (o *Object) isRust() bool { return o.file != nil && o.file.IsRust() }

// checkKinds compares the kinds of a local member and of the kernel's.
//
// In an object that was compiled from Rust the kinds may differ if the sizes do
// not: [u64; 2] stands for a struct list_head, an enum or a newtype for an
// integer, usize for a pointer that is NULL.
//
// Mirrors libbpf bpf_map__init_kern_struct_ops. Differs from libbpf in what it
// takes of Rust objects, which libbpf refuses.
func (r *resolver) checkKinds(local, km btf.Member, localSize, kernSize uint32, zero bool) error {
	localKind, kernKind := kindOf(local.Type), kindOf(km.Type)
	switch {
	case localKind == kernKind:
		return nil
	case !r.ops.isRust():
		return fmt.Errorf("is %s, kernel has %s: %w", localKind, kernKind, ebpf.ErrNotSupported)
	case localSize != kernSize:
		return fmt.Errorf("is %s of %d bytes, kernel has %s of %d: %w", localKind, localSize, kernKind, kernSize, ebpf.ErrNotSupported)
	case isPointer(km.Type) && !isPointer(local.Type) && !zero:
		return fmt.Errorf("non-zero, kernel has a pointer: a struct_ops map can hold callbacks, but no pointers to data: "+
			"leave it 0: %w", ebpf.ErrNotSupported)
	}
	return nil
}

// defaultStatic is the policy about global functions that an object begins
// with, see [Object.Static].
func (o *Object) defaultStatic() *btfx.StaticOptions {
	if len(o.Ops) > 0 && o.isRust() {
		return new(btfx.StaticOptions)
	}
	return nil
}

func copyStatic(opts *btfx.StaticOptions) *btfx.StaticOptions {
	if opts == nil {
		return nil
	}
	cpy := *opts
	cpy.Only, cpy.Except = slices.Clone(opts.Only), slices.Clone(opts.Except)
	return &cpy
}

// withStatic returns the object with the functions static that are to be so. It
// is a copy if there is anything to do.
func (o *Object) withStatic() (*Object, error) {
	if o.Static == nil {
		return o, nil
	}
	cpy := o.Copy()
	opts := *cpy.Static
	opts.FromFile = opts.FromFile || o.file != nil
	if err := btfx.MarkStatic(cpy.Spec, &opts); err != nil {
		return nil, fmt.Errorf("static functions: %w", err)
	}
	return cpy, nil
}

// readable returns a verifier log of a program without the lines that mislead,
// and with the names that types and functions have in Rust.
func (l *loader) readable(p *program, log []string) []string {
	names := map[string]string(nil)
	if l.obj.file != nil {
		names = l.obj.file.RustNames()
	}
	entry := ""
	if fn := entryFunc(p.spec); fn != nil {
		entry = fn.Name
	}

	identifier := regexp.MustCompile(`\w+`)
	var lines []string
	for _, line := range log {
		// What the verifier says about a program that begins with a global function
		// without a result, as Rust makes them, before it goes on.
		if strings.HasPrefix(line, "Global function "+entry+"() doesn't return scalar.") {
			continue
		}
		if len(names) > 0 {
			line = identifier.ReplaceAllStringFunc(line, func(name string) string {
				if rust, ok := names[name]; ok {
					return rust
				}
				return name
			})
		}
		lines = append(lines, line)
	}
	return lines
}
