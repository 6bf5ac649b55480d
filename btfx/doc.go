// Package btfx answers two questions that stand before every load of a BPF
// object: what does the file say, and what does the kernel say?
//
// A [File] holds the facts of an ELF file that an [ebpf.CollectionSpec] has no
// place for (binding, visibility, relocations) and presents the file to
// upstream's reader through a view, so that constructs which that reader
// refuses reach the spec all the same. A [Kernel] finds types in the BTF of
// vmlinux and of modules, of the running kernel or of files.
package btfx
