package kfunc

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"

	"github.com/ebpfx/ebpfx/btfx"
)

// resolveConfig lays out the .kconfig value and fills it. xs, externs and errs
// run in parallel; the error returned is one that belongs to no extern.
//
// Closes the gaps that cilium/ebpf v0.22.0 refuses weak values and does not
// know LINUX_HAS_BPF_COOKIE (cilium/ebpf#698).
func resolveConfig(xs []Resolved, externs []Extern, k *btfx.Kernel, opts *Options, errs []error) ([]byte, error) {
	var values []*configValue
	for i := range xs {
		if xs[i].Kind != Config {
			continue
		}
		v, err := newConfigValue(&xs[i], externs[i].Type)
		if err != nil {
			errs[i] = fmt.Errorf("extern %q: %w", xs[i].Name, err)
			continue
		}
		v.err = &errs[i]
		values = append(values, v)
	}
	if len(values) == 0 {
		return nil, nil
	}

	data, err := layout(values)
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if !strings.HasPrefix(v.Name, "CONFIG_") {
			v.fail(v.setVirtual(k, opts.KernelVersion))
		}
	}
	if err := readConfigs(values, opts); err != nil {
		return nil, err
	}
	for _, v := range values {
		if v.set || *v.err != nil {
			continue
		}
		reason := "not set in the kernel's configuration"
		if !strings.HasPrefix(v.Name, "CONFIG_") {
			reason = "unknown virtual kconfig value"
		}
		*v.err = v.missing(Extern{Name: v.Name, Kind: Config, Weak: v.Weak}, reason)
	}
	return data, nil
}

// configType is the form of a config value, libbpf's enum kcfg_type.
type configType uint8

const (
	configBool configType = iota + 1
	configChar
	configInt
	configTristate
	configString
)

func (t configType) String() string {
	return [...]string{"", "bool", "char", "int", "tristate", "char array"}[t]
}

// configValue is a config extern and its place in the .kconfig value.
type configValue struct {
	*Resolved
	typ    configType
	signed bool
	size   uint32 // in bytes
	align  uint32 // in bytes
	data   []byte // its part of the value, len(data) == size
	set    bool
	err    *error
}

func (v *configValue) fail(err error) {
	if err != nil && *v.err == nil {
		*v.err = fmt.Errorf("extern %q: %w", v.Name, err)
	}
}

// newConfigValue mirrors libbpf find_kcfg_type.
func newConfigValue(x *Resolved, typ btf.Type) (*configValue, error) {
	v := &configValue{Resolved: x}
	decl, ok := typ.(*btf.Var)
	if !ok {
		return nil, fmt.Errorf("kconfig value without a type in the object's BTF: %w", ebpf.ErrNotSupported)
	}

	switch t := btf.UnderlyingType(decl.Type).(type) {
	case *btf.Int:
		v.typ, v.size, v.align = intType(t), t.Size, t.Size
		v.signed = t.Encoding == btf.Signed
	case *btf.Enum:
		if t.Name == "libbpf_tristate" && (t.Size == 4 || t.Size == 8) {
			v.typ, v.size, v.align = configTristate, t.Size, t.Size
		}
	case *btf.Array:
		elem, ok := btf.UnderlyingType(t.Type).(*btf.Int)
		if ok && intType(elem) == configChar && t.Nelems > 0 {
			v.typ, v.size, v.align = configString, t.Nelems, 1
		}
	}
	if v.typ == 0 {
		return nil, fmt.Errorf("%q is no type of a kconfig value (bool, char, int, enum libbpf_tristate, char[]): %w", x.Declared, ebpf.ErrNotSupported)
	}
	return v, nil
}

// intType returns 0 for an integer that can't hold a config value.
func intType(t *btf.Int) configType {
	switch {
	case t.Encoding == btf.Bool && t.Size == 1:
		return configBool
	case t.Encoding == btf.Bool:
		return 0
	case t.Size == 1:
		return configChar
	case t.Size == 2, t.Size == 4, t.Size == 8:
		return configInt
	}
	return 0
}

// maxConfigSize limits the .kconfig value, in bytes: the size of a char array
// is what the object says, and the longest string in a kernel's configuration
// has some hundred bytes.
const maxConfigSize = 1 << 20

// layout gives the values their places and returns the zeroed .kconfig value:
// largest alignment first, then smallest size, then by name, as libbpf
// bpf_object__collect_externs does. The order of values changes.
func layout(values []*configValue) ([]byte, error) {
	slices.SortFunc(values, func(a, b *configValue) int {
		return cmp.Or(cmp.Compare(b.align, a.align), cmp.Compare(a.size, b.size), cmp.Compare(a.Name, b.Name))
	})

	var size uint32
	for _, v := range values {
		v.Offset = (size + v.align - 1) &^ (v.align - 1)
		if v.size > maxConfigSize-v.Offset {
			return nil, fmt.Errorf("extern %q: %d bytes at offset %d of %s, which may have %d", v.Name, v.size, v.Offset, kconfigSection, maxConfigSize)
		}
		size = v.Offset + v.size
	}

	data := make([]byte, size)
	for _, v := range values {
		v.data = data[v.Offset:][:v.size:v.size]
	}
	return data, nil
}

// virtualNames returns the functions in kernel BTF that tell a virtual value.
func virtualNames(name string) []string {
	switch name {
	case "LINUX_HAS_BPF_COOKIE":
		// The helper bpf_get_attach_cookie as a kprobe program gets it.
		return []string{"bpf_get_attach_cookie_trace"}
	case "LINUX_HAS_SYSCALL_WRAPPER":
		// bpf(2) behind CONFIG_ARCH_HAS_SYSCALL_WRAPPER, see libbpf
		// arch_specific_syscall_pfx.
		return []string{"__x64_sys_bpf", "__arm64_sys_bpf", "__s390x_sys_bpf", "__riscv_sys_bpf", "__powerpc_sys_bpf", "__powerpc64_sys_bpf", "__loongarch_sys_bpf", "__ia32_sys_bpf"}
	}
	return nil
}

// setVirtual sets a value that is not in the kernel's configuration.
//
// Differs from libbpf: the features are told from kernel BTF, libbpf probes
// the running kernel by loading a program and attaching a kprobe.
func (v *configValue) setVirtual(k *btfx.Kernel, version uint32) error {
	switch {
	case v.Name == "LINUX_KERNEL_VERSION":
		if version == 0 {
			var err error
			if version, err = features.LinuxVersionCode(); err != nil {
				return fmt.Errorf("kernel version: %w", err)
			}
		}
		return v.setNumber(uint64(version))

	case len(virtualNames(v.Name)) > 0:
		var has uint64
		for _, name := range virtualNames(v.Name) {
			_, err := k.Find(btfx.KindFunc, name)
			if err == nil {
				has = 1
				break
			}
			if !errors.Is(err, btf.ErrNotFound) {
				return err
			}
		}
		return v.setNumber(has)

	case !strings.HasPrefix(v.Name, "LINUX_"):
		return fmt.Errorf("unknown kconfig value, expected CONFIG_* or LINUX_*: %w", ebpf.ErrNotSupported)
	}
	return nil // missing, zero if weak
}

// setText sets the value as a configuration file has it.
func (v *configValue) setText(value string) error {
	switch {
	case value == "y" || value == "n" || value == "m":
		return v.setTristate(value[0])
	case value[0] == '"':
		return v.setString(value)
	}
	if v.typ != configInt && v.typ != configChar {
		return fmt.Errorf("value %s is a number, declared as %s", value, v.typ)
	}
	n, err := strconv.ParseUint(value, 0, 64)
	if err != nil {
		var i int64
		if i, err = strconv.ParseInt(value, 0, 64); err != nil {
			return fmt.Errorf("value %q is neither y, n, m, a string nor a number", value)
		}
		n = uint64(i)
	}
	return v.setNumber(n)
}

// setTristate mirrors libbpf set_kcfg_value_tri.
func (v *configValue) setTristate(value byte) error {
	switch {
	case v.typ == configChar:
		v.store(uint64(value))
	case v.typ == configTristate:
		v.store(map[byte]uint64{'n': 0, 'y': 1, 'm': 2}[value])
	case v.typ == configBool && value == 'm':
		return errors.New("value m does not fit a bool, declare an enum libbpf_tristate")
	case v.typ == configBool && value == 'y':
		v.store(1)
	case v.typ == configBool:
		v.store(0)
	default:
		return fmt.Errorf("value %c fits bool, char and tristate, declared as %s", value, v.typ)
	}
	return nil
}

// setString cuts a string that is too long. Mirrors libbpf set_kcfg_value_str.
func (v *configValue) setString(value string) error {
	if v.typ != configString {
		return fmt.Errorf("value %s is a string, declared as %s", value, v.typ)
	}
	if len(value) < 2 || value[len(value)-1] != '"' {
		return fmt.Errorf("string %s does not end in a quotation mark", value)
	}
	copy(v.data[:v.size-1], value[1:len(value)-1])
	v.set = true
	return nil
}

// setNumber mirrors libbpf set_kcfg_value_num.
func (v *configValue) setNumber(n uint64) error {
	bits := v.size * 8
	switch {
	case v.typ == configTristate || v.typ == configString:
		return fmt.Errorf("value %d is a number, declared as %s", n, v.typ)
	case v.typ == configBool && n > 1:
		return fmt.Errorf("value %d does not fit a bool", n)
	case v.signed && int64(n)<<(64-bits)>>(64-bits) != int64(n):
		return fmt.Errorf("value %d does not fit %d bytes, signed", int64(n), v.size)
	case !v.signed && n<<(64-bits)>>(64-bits) != n:
		return fmt.Errorf("value %d does not fit %d bytes, unsigned", n, v.size)
	}
	v.store(n)
	return nil
}

// store writes an integer of the value's size.
func (v *configValue) store(n uint64) {
	switch v.size {
	case 1:
		v.data[0] = byte(n)
	case 2:
		binary.NativeEndian.PutUint16(v.data, uint16(n))
	case 4:
		binary.NativeEndian.PutUint32(v.data, uint32(n))
	case 8:
		binary.NativeEndian.PutUint64(v.data, n)
	}
	v.set = true
}

const rdonlyProg = 0x80 // BPF_F_RDONLY_PROG

// KconfigMap returns the map that the instructions refer to as ".kconfig"
// after [Resolution.Apply]: an array of one value, read-only for programs,
// which upstream freezes. Nil if there are no config values.
func (r *Resolution) KconfigMap() *ebpf.MapSpec {
	if r.Kconfig == nil {
		return nil
	}
	return &ebpf.MapSpec{
		Name:       kconfigSection,
		Type:       ebpf.Array,
		KeySize:    4,
		ValueSize:  uint32(len(r.Kconfig)),
		MaxEntries: 1,
		Flags:      rdonlyProg,
		Contents:   []ebpf.MapKV{{Key: uint32(0), Value: slices.Clone(r.Kconfig)}},
	}
}
