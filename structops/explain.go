package structops

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/structops/internal/sys"
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

// reason is what an errno means at one place of the kernel: for every ops type,
// or for one; and if the verifier's log has some words in it, or whatever it says.
type reason struct {
	errno   syscall.Errno
	opsType string
	log     string
	text    string
}

// because returns the text of the first reason that fits.
func because(err error, opsType, log string, reasons []reason) string {
	for _, r := range reasons {
		if errors.Is(err, r.errno) && (r.opsType == "" || r.opsType == opsType) && strings.Contains(log, r.log) {
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

// btfReasons are those of btf_check_meta and of what it calls.
var btfReasons = []reason{
	{errno: syscall.EPERM, text: "CAP_BPF is needed: run as root"},
	{errno: syscall.EINVAL, log: "Invalid name", text: "a type, function or section has a name that is not one of C: rename it"},
	{errno: syscall.EINVAL, log: "Invalid arg#", text: "a function has a parameter without a name or size: name it"},
	{errno: syscall.EINVAL, log: "Invalid func linkage", text: "it has an extern function: declare it with __ksym"},
	{errno: syscall.EINVAL, log: "Linkage not supported", text: "it has an extern variable: declare it with __ksym or __kconfig"},
	{errno: syscall.EINVAL, log: "size == 0", text: "a DATASEC has no size: its section is missing or empty"},
	{errno: syscall.EINVAL, log: "Unexpected size", text: "a type has no size, or an impossible one: an enum that is only declared needs its values"},
	{errno: syscall.E2BIG, log: "Exceeded max resolving depth", text: "types refer to each other through too many pointers, arrays or structs"},
	{errno: syscall.EINVAL, text: "the kernel does not take the type that the log ends with"},
}

// explainBTF makes the error of BTF that the kernel refused. Closes the gap that
// cilium/ebpf v0.22.0 takes a lack of privilege for a kernel without BTF.
func explainBTF(err error) error {
	if errors.Is(err, ebpf.ErrNotSupported) {
		if denied := sys.ProbeBTF(); errors.Is(denied, syscall.EPERM) {
			err = denied
		}
	}
	var log string
	if ve := (*ebpf.VerifierError)(nil); errors.As(err, &ve) {
		log = strings.Join(ve.Log, "\n")
	}
	return explained("object BTF", because(err, "", log, btfReasons), err)
}

// createReasons are those of bpf_struct_ops_map_alloc.
var createReasons = []reason{
	{errno: syscall.EPERM, text: "CAP_BPF is needed: run as root"},
	{errno: errENOTSUPP, text: "the struct exists, but no subsystem of this kernel has registered it as an ops type: check the kernel's configuration"},
	{errno: syscall.EINVAL, text: "the kernel does not take maps like this: .struct_ops.link needs Linux 6.4, ops types of modules Linux 6.9"},
	{errno: syscall.EBADF, text: "the BTF of the object or of the module is gone"},
	{errno: syscall.EACCES, text: "the object's BTF is missing"},
	{errno: syscall.E2BIG, text: "the kernel is too old for an attribute of the map: ops types of modules need Linux 6.9"},
}

func explainCreate(p *MapPlan, err error) error {
	return explained(fmt.Sprintf("map %q: create for %s", p.Name, p.OpsType), because(err, p.OpsType, "", createReasons), err)
}

// mapReasons are those of map_create, map_check_btf and bpf_map_alloc_percpu for
// maps with locks, lists, trees, kptrs or timers, and for arenas.
var mapReasons = []reason{
	{errno: syscall.EPERM, text: "CAP_BPF is needed: run as root"},
	{errno: syscall.EACCES, text: "the kernel does not take fields like those of its value in a map that is read-only or mapped into memory"},
	{errno: errENOTSUPP, text: "the kernel does not take fields like those of its value in maps of this type"},
	{errno: syscall.EOPNOTSUPP, text: "the kernel does not take fields like those of its value in maps of this type"},
	{errno: syscall.EINVAL, text: "the kernel does not know the map's type, flags, sizes or a field of its value: is it too old?"},
	{errno: syscall.ENOENT, text: "a type that its value names, as in contains: or kptr, is not in the object's or the kernel's BTF"},
	{errno: syscall.E2BIG, text: "it is larger than the kernel allows"},
	{errno: syscall.ENOMEM, text: "it is larger than memory allows"},
}

// explainMap makes the error of a map that the kernel refused.
func explainMap(name string, spec *ebpf.MapSpec, err error) error {
	what := fmt.Sprintf("map %q: create %s of %d * (%d + %d) bytes", name, spec.Type, spec.MaxEntries, spec.KeySize, spec.ValueSize)
	return explained(what, because(err, "", "", mapReasons), err)
}

// contentsReasons are those of array_map_update_elem, bpf_fd_array_map_update_elem,
// bpf_map_fd_get_ptr and prog_fd_array_get_ptr for initial contents.
var contentsReasons = []reason{
	{errno: syscall.E2BIG, text: "the key is not below max_entries, or the map is full"},
	{errno: syscall.EINVAL, text: "it does not fit: inner maps have the type, sizes, flags and special fields of the declared one, " +
		"programs of a PROG_ARRAY are of one type"},
}

// explainContents makes the error of an initial value that the kernel refused.
func explainContents(name string, key any, err error) error {
	return explained(fmt.Sprintf("map %q: key %v", name, key), because(err, "", "", contentsReasons), err)
}

// populateReasons are those of bpf_struct_ops_map_update_elem and of the
// subsystems' init_member, validate and, for legacy maps, reg functions.
var populateReasons = []reason{
	{errno: syscall.EBUSY, opsType: "sched_ext_ops", text: "another scheduler is running: detach it first"},
	{errno: syscall.EBUSY, text: "the map has a value already: a struct_ops map is filled once"},
	{errno: syscall.EEXIST, text: "the name is taken: another implementation of that name is registered"},
	{errno: syscall.ENOTSUP, opsType: "bpf_dummy_ops", text: "the type is for test runs of its programs and can't be registered"},
	{errno: syscall.ENOTSUP, text: "the subsystem does not register maps of section .struct_ops: use .struct_ops.link"},
	{errno: syscall.E2BIG, opsType: "sched_ext_ops", text: "dispatch_max_batch or timeout_ms is above the limit"},
	{errno: syscall.E2BIG, text: "the callbacks need more trampoline pages than the kernel has for a map: give it fewer"},
	{errno: syscall.EBADF, text: "the FD of a callback is closed"},
	{errno: syscall.EINVAL, opsType: "tcp_congestion_ops", text: "a mandatory callback is missing (ssthresh, undo_cwnd, " +
		"and cong_avoid or cong_control), name is not set or valid, flags are unknown, or another member has a value that BPF may not give"},
	{errno: syscall.EINVAL, opsType: "sched_ext_ops", text: "name has to be set and valid, flags to be known"},
	{errno: syscall.EINVAL, opsType: "hid_bpf_ops", text: "flags have to be known"},
	{errno: syscall.EINVAL, text: "a mandatory callback is missing, or a member has a value that BPF may not give"},
}

func explainPopulate(p *MapPlan, err error) error {
	why := because(err, p.OpsType, "", populateReasons)
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
	{errno: syscall.EEXIST, text: "the name is taken: another implementation of that name is registered"},
	{errno: syscall.EBUSY, opsType: "sched_ext_ops", text: "another scheduler is running: detach it first"},
	{errno: syscall.EBUSY, text: "another implementation is running: detach it first"},
	{errno: syscall.EINVAL, opsType: "sched_ext_ops", text: "SCX_OPS_ENQ_LAST needs the callback enqueue, " +
		"and the kernel may not be booted with isolcpus"},
	{errno: syscall.EINVAL, opsType: "hid_bpf_ops", text: "no HID device has the number in member hid_id, or it has a report descriptor fix-up already: " +
		"set hid_id before load"},
	{errno: syscall.ENODEV, text: "no such device"},
	{errno: syscall.EINVAL, text: "the subsystem refuses to register it, or the map is not populated"},
	{errno: syscall.E2BIG, opsType: "hid_bpf_ops", text: "the device has as many programs as the kernel allows, 64"},
	{errno: syscall.EBADF, text: "the map is closed"},
	{errno: syscall.EPERM, text: "CAP_BPF is needed: run as root"},
}

func explainAttach(name, opsType string, err error) error {
	what := fmt.Sprintf("map %q: attach", name)
	if opsType != "" {
		what += " " + opsType
	}
	return explained(what, because(err, opsType, "", attachReasons), err)
}

const (
	sleepableOnly = "only sleepable programs may do that: name the section struct_ops.s, or leave the call out"
	refused       = "the verifier refuses what its log ends with, print the error with %+v for all of it"
)

// programReasons are those of the verifier, as far as its log alone does not
// tell what to do.
var programReasons = []reason{
	{errno: syscall.EFAULT, text: "hit verifier bug, increase LogSizeStart to fit the log and check dmesg"},
	{errno: syscall.EACCES, log: "calling kernel function", text: "the kernel does not let programs of this type call that kernel function"},
	{errno: syscall.EACCES, log: "CAP_SYS_BOOT", text: "it calls a destructive kfunc: run it with CAP_SYS_BOOT, or leave the call out"},
	{errno: syscall.EACCES, log: "sleepable kfunc", text: sleepableOnly},
	{errno: syscall.EINVAL, log: "might sleep in a non-sleepable prog", text: sleepableOnly},
	{errno: syscall.EACCES, log: "in non-sleepable", text: sleepableOnly},
	{errno: syscall.ENOENT, log: "address for kernel symbol", text: "the kernel hides the variable: it needs CONFIG_KALLSYMS_ALL"},
	{errno: syscall.E2BIG, log: "too many different kernel function calls", text: "the kernel allows 256 different kfuncs in a program"},
	{errno: syscall.E2BIG, log: "too many different module BTFs", text: "the kernel allows kfuncs of 256 modules in a program"},
	{errno: syscall.E2BIG, log: "program is too large", text: "the verifier gives up after a million instructions: bound its loops or use bpf_loop, and make functions global, which are verified once"},
	{errno: syscall.E2BIG, log: "jumps is too complex", text: "it has more branches than the verifier follows: make functions of parts of it, global ones are verified once"},
	{errno: syscall.E2BIG, text: "it has more instructions, or other entries, than the kernel takes"},
	{errno: syscall.ENXIO, text: "a kernel module whose kfunc it calls is going away: load the module again"},
	{errno: syscall.EINVAL, log: "func_info", text: "the BTF does not tell all of its functions: compile all of it with -g"},
	{errno: syscall.EINVAL, log: fmt.Sprintf("invalid func unknown#%d", btf.COREBadRelocationSentinel), text: "the kernel lacks a type, field or value that a CO-RE relocation needs: guard it with bpf_core_*_exists"},
	{errno: syscall.EACCES, log: fmt.Sprintf("(18) r10 = %#x", btf.COREBadRelocationSentinel), text: "the kernel lacks a type, field or value that a CO-RE relocation needs: guard it with bpf_core_*_exists"},
	{errno: syscall.EACCES, log: fmt.Sprintf("(18) r10 = %#x", absentMap), text: "it uses an optional map that is not loaded"},
	{errno: errENOTSUPP, log: "CONFIG_DEBUG_INFO_BTF", text: "kfuncs need a kernel with CONFIG_DEBUG_INFO_BTF"},
	{errno: errENOTSUPP, log: "JIT", text: "kfuncs need the JIT: set sysctl net.core.bpf_jit_enable to 1"},
	{errno: syscall.EACCES, text: refused},
	{errno: syscall.EINVAL, text: refused},
}

// opsReasons are those that only struct_ops programs meet.
var opsReasons = []reason{
	{errno: errENOTSUPP, log: "is not a supported struct", text: "no subsystem of this kernel has registered the struct as an ops type"},
	{errno: errENOTSUPP, log: "attach to unsupported member", text: "the subsystem takes no BPF program in this member: leave the member NULL"},
	{errno: syscall.EINVAL, log: "attach to unsupported member", text: "the subsystem does not take such a program in this member: only some callbacks may be sleepable (struct_ops.s)"},
	{errno: errENOTSUPP, text: "the kernel knows no such ops type, or its module is gone"},
}

// explainProgram makes the error of a refused program: the reason where the
// kernel's is not the whole story, and upstream's error with the log.
func (l *loader) explainProgram(p *program, err error) error {
	lines := l.readable(p, logLines(p.attr.Log))
	what := "program " + strconv.Quote(p.name) + ": load program"
	if why := l.programReason(p, err, lines); why != "" {
		what += ": " + why
	}
	// VerifierError has an empty source here, so its text begins with ": ".
	err = fmt.Errorf("%s%w", what, &ebpf.VerifierError{Cause: cause(err), Log: lines})
	if l.btfRefusal != nil {
		err = fmt.Errorf("%w\nthe program has no BTF: %w", err, l.btfRefusal)
	}
	return err
}

func (l *loader) programReason(p *program, err error, log []string) string {
	if why, ok := l.externs.Explain(log); ok {
		return why
	}
	if errors.Is(err, syscall.EPERM) && len(log) == 0 {
		return "CAP_BPF and CAP_PERFMON are needed: run as root; a kernel that is locked down refuses some types of programs even then (before Linux 5.11 MEMLOCK may be too low, consider rlimit.RemoveMemlock)"
	}
	text := strings.Join(log, "\n")
	if errors.Is(err, syscall.EINVAL) && strings.Contains(text, "GPL") {
		return fmt.Sprintf("license %q: struct_ops programs and callers of kfuncs need one that is compatible with the GPL", p.spec.License)
	}
	if i := slices.IndexFunc(l.plan.Mismatches, func(m Mismatch) bool { return m.Program == p.name }); i >= 0 {
		return l.plan.Mismatches[i].String()
	}
	if p.ops != nil {
		if why := because(err, "", text, opsReasons); why != "" {
			return fmt.Sprintf("%s: %s", l.memberOf(p), why)
		}
	}
	if len(log) == 0 && errors.Is(err, syscall.EINVAL) {
		return "the kernel does not know its type or an attribute of it: is it too old?"
	}
	return because(err, "", text, programReasons)
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
	return "its member"
}
