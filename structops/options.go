package structops

import (
	"io"
	"runtime"

	"github.com/cilium/ebpf"

	"github.com/ebpfx/ebpfx/btfx"
	"github.com/ebpfx/ebpfx/kfunc"
)

// Options control a load. Nil means defaults.
type Options struct {
	// CollectionOptions are upstream's. Programs.LogLevel, LogSizeStart and
	// LogDisabled apply to every program; Programs.KernelTypes and
	// ExtraRelocationTargets replace the kernel's types for CO-RE; Maps and
	// MapReplacements apply to ordinary maps.
	ebpf.CollectionOptions

	// ELF is the file that the spec given to [LoadAndAssign] was read from. It
	// supplies what a spec has lost: which callback belongs to which of several
	// maps of one type, binding and visibility of symbols, optional sections.
	// Edits of the spec are kept, but for those of instructions. Other functions
	// ignore it.
	ELF io.ReaderAt

	// Kernel is used to look up types and kfuncs. Defaults to the running
	// kernel; share one across loads to read its BTF only once. IDs of another kernel
	// make every load fail.
	Kernel *btfx.Kernel

	// Externs supplies configuration values and symbol addresses in place of
	// the running kernel's.
	Externs *kfunc.Options

	// Missing decides about callbacks that the kernel's ops type lacks. Defaults
	// to [Strict].
	Missing MissingPolicy

	// MayDrop names members, such as "cgroup_set_bandwidth", whose callbacks may be left out
	// if the kernel's ops type lacks them, in every map of the object.
	MayDrop []string

	// Verifiers is the number of programs that are verified at the same time,
	// at most: for a few instructions no other thread is started.
	// Defaults to GOMAXPROCS.
	Verifiers int
}

// orDefaults returns options with every default filled in.
func (o *Options) orDefaults() (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Verifiers <= 0 {
		opts.Verifiers = runtime.GOMAXPROCS(0)
	}
	if opts.Kernel == nil {
		k, err := btfx.LoadKernel()
		if err != nil {
			return opts, err
		}
		opts.Kernel = k
	}
	return opts, nil
}
