// Package kfunc answers what every extern of a BPF object means on a kernel.
//
// An extern is a name that the object refers to and does not define: a kfunc,
// a kernel variable with or without a type (ksym), or a value of the kernel's
// configuration (kconfig). Three stages, each a function of the one before:
//
//	[Externs]           list:    from the spec and the file, no kernel
//	[Resolve]           resolve: against a [btfx.Kernel], no instruction is touched
//	[Resolution.Apply]  patch:   the instructions of one program
//
// The rules are libbpf's (bpf_object__collect_externs,
// bpf_object__resolve_externs, bpf_object__relocate_data) with two additions:
// an extern without BTF, which libbpf refuses, is resolved by its use, and an
// extern that no program refers to is not asked for. An object without externs
// opens neither kernel BTF nor a file in /proc.
//
// [Fixup] is the three stages in one call for users who stay with the loader
// of cilium/ebpf.
package kfunc
