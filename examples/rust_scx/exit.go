//go:build linux

package main

import "fmt"

// exitKind is enum scx_exit_kind of the kernel: why a scheduler ended.
type exitKind int32

// The kinds, SCX_EXIT_* in the kernel.
const (
	exitNone       exitKind = 0
	exitDone       exitKind = 1
	exitUnreg      exitKind = 64
	exitUnregBPF   exitKind = 65
	exitUnregKern  exitKind = 66
	exitSysRq      exitKind = 67
	exitError      exitKind = 1024
	exitErrorBPF   exitKind = 1025
	exitErrorStall exitKind = 1026
)

// isError tells whether the kernel ejected the scheduler for what it did.
func (k exitKind) isError() bool { return k >= exitError }

func (k exitKind) String() string {
	switch k {
	case exitNone:
		return "The scheduler did not say why it ended"
	case exitDone:
		return "The scheduler is done"
	case exitUnreg:
		return "Detached by user space"
	case exitUnregBPF:
		return "Detached by the scheduler itself"
	case exitUnregKern:
		return "Detached by the kernel"
	case exitSysRq:
		return "Detached with SysRq-S"
	case exitError:
		return "Ejected by the kernel: an error, see dmesg"
	case exitErrorBPF:
		return "Ejected: the scheduler called scx_bpf_error"
	case exitErrorStall:
		return "Ejected by the watchdog: a task did not run for timeout_ms"
	}
	return fmt.Sprintf("Ended with exit kind %d", int32(k))
}
