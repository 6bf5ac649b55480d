// Package structops loads and attaches struct_ops maps: from a C or Rust
// struct literal to a registered kernel object.
//
// An object passes through stages, each a function of the one before; a file of
// this package belongs to one of them:
//
//	Open, FromSpec     read     the file: maps, callbacks, programs; no kernel
//	Object, Ops        edit     members, callbacks, variables
//	Object.Resolve     look up  ops types in kernel BTF: a Plan, plain data
//	Object.Load        fix up   CO-RE, externs, one BTF; then maps and programs
//	Collection.Attach  attach   populate the map, register it
//
// [LoadAndAssign] is read to load for code that bpf2go has generated, [Attach]
// the last stage for a map that it handed out.
//
// # Why programs are not loaded by cilium/ebpf
//
// Upstream builds a BTF object for each map and program, so a type that two of
// them share is two types to the kernel; it has no table of module FDs for an
// object, knows one program for each member of each ops type, and clears a
// field that addr_space_cast needs. All of that is inside its loader of
// programs. Everything around it is upstream's: reading ELF and BTF, CO-RE,
// func and line info, encoding, ordinary maps and variables.
//
// # Why nothing is registered before Attach
//
// A legacy map (section .struct_ops) is registered by the update that sets its
// value and stays so when all its FDs are closed. If loading did that, a failure
// after it would leave a scheduler running. libbpf populates at attach, too.
package structops
