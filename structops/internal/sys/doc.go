// Package sys holds the bpf(2) commands that cilium/ebpf does not export in
// the form this module needs, and every use of unsafe.
//
// Structs mirror the fields of union bpf_attr that are used; byte slices stand
// for the pointer and length pairs of the kernel. Errors are plain [syscall.Errno]
// values: what an errno means for an object is decided by the caller.
package sys
