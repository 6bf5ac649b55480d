package structops

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/cilium/ebpf"
)

// errENOTSUPP is an errno of the kernel that was never meant for user space. It
// is neither ENOTSUP nor EOPNOTSUPP, and libc has no text for it.
const errENOTSUPP = syscall.Errno(524)

// cause returns the kernel's error in a form that can be matched and read.
func cause(err error) error {
	if errors.Is(err, errENOTSUPP) && !errors.Is(err, ebpf.ErrNotSupported) {
		return fmt.Errorf("%w (ENOTSUPP): %w", ebpf.ErrNotSupported, err)
	}
	return err
}

// reason is what an errno means at one place of the kernel.
type reason struct {
	errno syscall.Errno
	text  string
}

// because returns the text of the first reason that fits.
func because(err error, reasons []reason) string {
	for _, r := range reasons {
		if errors.Is(err, r.errno) {
			return r.text
		}
	}
	return ""
}

// explained puts the reason, if there is one, in front of the kernel's error.
func explained(what, why string, err error) error {
	if why == "" {
		return fmt.Errorf("%s: %w", what, cause(err))
	}
	return fmt.Errorf("%s: %s: %w", what, why, cause(err))
}

// createReasons are those of bpf_struct_ops_map_alloc.
var createReasons = []reason{
	{syscall.EPERM, "CAP_BPF is needed: run as root"},
	{errENOTSUPP, "the struct exists, but no subsystem of this kernel has registered it as an ops type: check the kernel's configuration"},
	{syscall.EINVAL, "the kernel does not take maps like this: .struct_ops.link needs Linux 6.4, ops types of modules Linux 6.9"},
	{syscall.EBADF, "the BTF of the object or of the module is gone"},
	{syscall.EACCES, "the object's BTF is missing"},
}

func explainCreate(p *MapPlan, err error) error {
	return explained(fmt.Sprintf("map %q: create for %s", p.Name, p.OpsType), because(err, createReasons), err)
}

// populateReasons are those of bpf_struct_ops_map_update_elem.
var populateReasons = []reason{
	{syscall.EBUSY, "the map has a value already, or another implementation is registered: a struct_ops map is filled once"},
	{syscall.EEXIST, "the name is taken: another implementation of that name is registered"},
	{syscall.ENOTSUP, "the subsystem does not register maps of section .struct_ops: use .struct_ops.link"},
	{syscall.E2BIG, "the callbacks need more trampoline pages than the kernel has for a map, or a value is above the subsystem's limit"},
	{syscall.EBADF, "the FD of a callback is closed"},
	{syscall.EINVAL, "the subsystem refuses the value: a mandatory callback is missing, or a member has a value that it does not take"},
}

func explainPopulate(p *MapPlan, err error) error {
	why := because(err, populateReasons)
	if errors.Is(err, syscall.EINVAL) {
		why = fmt.Sprintf("%s (callbacks given: %s)", why, strings.Join(p.members(), ", "))
	}
	return explained(fmt.Sprintf("map %q: populate %s", p.Name, p.OpsType), why, err)
}

func (p *MapPlan) members() []string {
	names := make([]string, len(p.Slots))
	for i, s := range p.Slots {
		names[i] = s.Member
	}
	return names
}

// attachReasons are those of bpf_struct_ops_link_create and of the subsystems'
// reg functions.
var attachReasons = []reason{
	{syscall.EEXIST, "the name is taken: another implementation of that name is registered"},
	{syscall.EBUSY, "another implementation is running: detach it first"},
	{syscall.ENODEV, "no such device"},
	{syscall.EINVAL, "the subsystem refuses to register it, or the map is not populated"},
	{syscall.E2BIG, "the device has as many programs as the kernel allows"},
}

func explainAttach(name, opsType string, err error) error {
	what := fmt.Sprintf("map %q: attach", name)
	if opsType != "" {
		what += " " + opsType
	}
	why := because(err, attachReasons)
	if opsType == "hid_bpf_ops" && errors.Is(err, syscall.EINVAL) {
		why = "no HID device has the number in member hid_id, or it has a fix-up already: set hid_id before load"
	}
	return explained(what, why, err)
}

// explainProgram makes the error of a refused program: the reason where the
// kernel's is not the whole story, and upstream's error with the log.
func (l *loader) explainProgram(p *program, err error) error {
	lines := logLines(p.attr.Log)
	why := l.programReason(p, err, lines)
	if why != "" {
		why = ": " + why
	}
	// VerifierError has an empty source here, so its text begins with ": ".
	return fmt.Errorf("program %q: load program%s%w", p.name, why, &ebpf.VerifierError{Cause: cause(err), Log: lines})
}

func (l *loader) programReason(p *program, err error, log []string) string {
	if name, ok := l.externs.Explain(log); ok {
		return name
	}
	switch {
	case errors.Is(err, syscall.EPERM) && len(log) == 0:
		return "CAP_BPF and CAP_PERFMON are needed: run as root (before Linux 5.11 MEMLOCK may be too low, consider rlimit.RemoveMemlock)"
	case errors.Is(err, syscall.EFAULT):
		return "hit verifier bug, increase LogSizeStart to fit the log and check dmesg"
	case errors.Is(err, errENOTSUPP) && p.ops != nil && len(log) == 0:
		return "the kernel knows no such ops type, or its module is gone"
	case errors.Is(err, errENOTSUPP) && p.ops != nil:
		return fmt.Sprintf("%s does not take a BPF program here: leave the member NULL", l.memberOf(p))
	case errors.Is(err, syscall.EINVAL) && p.ops != nil && !gplCompatible(p.spec.License):
		return fmt.Sprintf("license %q: struct_ops programs and kfuncs need a license that is compatible with the GPL", p.spec.License)
	}
	return ""
}

// memberOf names the member that a program fills.
func (l *loader) memberOf(p *program) string {
	for _, m := range l.plan.Maps {
		for _, s := range m.Slots {
			if s.Program == p.name {
				return fmt.Sprintf("member %q of %s", s.Member, m.OpsType)
			}
		}
	}
	return "the member"
}

// gplCompatible mirrors license_is_gpl_compatible of the kernel.
func gplCompatible(license string) bool {
	switch license {
	case "GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL":
		return true
	}
	return false
}
