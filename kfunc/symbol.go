package kfunc

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/cilium/ebpf"
)

// resolveSymbols gives every symbol in xs that is not resolved otherwise its
// address. Reads kallsyms, or /proc/kallsyms if that is nil, in one pass and
// only if there is a symbol. xs, externs and errs run in parallel.
//
// Mirrors libbpf bpf_object__read_kallsyms_file.
func resolveSymbols(xs []Resolved, externs []Extern, kallsyms io.Reader, errs []error) {
	addresses := make(map[string]address)
	for _, x := range xs {
		if x.Kind == Symbol {
			addresses[x.Name] = address{}
		}
	}
	if len(addresses) == 0 {
		return
	}

	hidden, err := findAddresses(kallsyms, addresses)
	for i := range xs {
		x := &xs[i]
		if x.Kind != Symbol || errs[i] != nil {
			continue
		}
		switch a := addresses[x.Name]; {
		case err != nil:
			errs[i] = x.unreadable(err)
		case !a.found:
			errs[i] = x.missing(externs[i], fmt.Sprintf("no symbol %q in kallsyms (data symbols need CONFIG_KALLSYMS_ALL)", x.Name))
		case hidden:
			errs[i] = x.unreadable(fmt.Errorf("addresses are hidden, CAP_SYSLOG and sysctl kernel.kptr_restrict below 2 show them: %w", ebpf.ErrRestrictedKernel))
		case a.ambiguous:
			errs[i] = fmt.Errorf("extern %q: address is ambiguous in kallsyms: %#x or %#x", x.Name, a.value, a.other)
		default:
			x.Address = a.value
		}
	}
}

// unreadable records a symbol as absent because kallsyms does not give it away,
// or returns an error if it is not weak.
func (x *Resolved) unreadable(err error) error {
	err = fmt.Errorf("kallsyms: %w", err)
	if x.Weak {
		x.Absent, x.Reason = true, err.Error()
		return nil
	}
	return fmt.Errorf("extern %q: not resolved: %w", x.Name, err)
}

// address is what kallsyms says about a name.
type address struct {
	found     bool
	value     uint64 // may be 0, as that of __per_cpu_start
	ambiguous bool
	other     uint64 // a second, different address
}

// findAddresses fills in the addresses of the names that are its keys. hidden
// is set if kallsyms has no address but 0.
func findAddresses(kallsyms io.Reader, addresses map[string]address) (hidden bool, err error) {
	if kallsyms == nil {
		f, err := os.Open("/proc/kallsyms")
		if err != nil {
			return false, err
		}
		defer f.Close()
		kallsyms = f
	}

	hidden = true
	s := bufio.NewScanner(kallsyms)
	for n := 1; s.Scan(); n++ {
		value, typ, name, err := parseSymbol(s.Bytes())
		if err != nil {
			return false, fmt.Errorf("line %d: %w", n, err)
		}
		hidden = hidden && value == 0
		// Clang may append .llvm.<hash> to the name of a static variable.
		if i := bytes.Index(name, []byte(".llvm.")); typ == 'd' && i >= 0 {
			name = name[:i]
		}
		if a, wanted := addresses[string(name)]; wanted {
			addresses[string(name)] = a.add(value)
		}
	}
	return hidden, s.Err()
}

// parseSymbol takes a line apart, `ffffffff81000000 T _stext` with the name of
// the module after a tab if there is one.
func parseSymbol(line []byte) (value uint64, typ byte, name []byte, err error) {
	digits, rest, _ := bytes.Cut(line, []byte(" "))
	types, name, _ := bytes.Cut(rest, []byte(" "))
	name, _, _ = bytes.Cut(name, []byte("\t"))
	if len(types) != 1 || len(name) == 0 {
		return 0, 0, nil, errors.New("not of the form `address type name`")
	}
	value, err = strconv.ParseUint(string(digits), 16, 64)
	return value, types[0], name, err
}

func (a address) add(value uint64) address {
	switch {
	case !a.found:
		a.found, a.value = true, value
	case a.value != value && !a.ambiguous:
		a.ambiguous, a.other = true, value
	}
	return a
}
