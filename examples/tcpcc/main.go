//go:build linux

// Tcpcc runs a TCP congestion control that is written in C and loaded with
// structops.LoadAndAssign, drives a transfer over loopback with it, and draws
// what the congestion window does meanwhile.
//
// It needs root, and Linux 6.4 or later with BTF (CONFIG_DEBUG_INFO_BTF). The
// congestion control is registered as ebpfx_tcpcc for as long as the program
// runs; no socket but its own uses it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/ebpfx/ebpfx/structops"
)

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -tags linux -no-global-types -type counts cc cc.c -- -O2 -mcpu=v3 -Wall -Werror

// name is what cc.c calls the congestion control.
const name = "ebpfx_tcpcc"

// size is a number of bytes as a flag: 1000, 64KiB, 64MiB or 1GiB.
type size int64

// units has the suffixes of a size, the largest first.
var units = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

func (s *size) String() string {
	for _, u := range units {
		if n := int64(*s); n > 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

func (s *size) Set(text string) error {
	unit := int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			text, unit = rest, u.bytes
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > 1<<40/unit {
		return errors.New("not a number of bytes from 1 to 1024GiB, such as 1000 or 64MiB")
	}
	*s = size(n * unit)
	return nil
}

func main() {
	bytes := size(64 << 20)
	flag.Var(&bytes, "size", "`bytes` to transfer, with KiB, MiB or GiB")
	ceiling := flag.Uint("ceiling", 160, "window at which to back off, in `packets`")
	asJSON := flag.Bool("json", false, "print the result as a JSON object, and nothing else")
	flag.Parse()
	if flag.NArg() > 0 || *ceiling < 4 || *ceiling > 1<<16 {
		fmt.Fprintln(os.Stderr, "tcpcc: takes no arguments, and a ceiling from 4 to 65536 packets")
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	p, err := run(ctx, int64(bytes), uint32(*ceiling), watcher(*asJSON))
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(os.Stderr, "tcpcc: interrupted, %s is detached\n", name)
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "tcpcc:", explain(err))
		os.Exit(1)
	}
	if *asJSON {
		err = p.writeJSON(os.Stdout)
	} else {
		_, err = fmt.Println(p.summary())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tcpcc:", err)
		os.Exit(1)
	}
}

// run loads and registers the congestion control, transfers size bytes with
// it, and unregisters it. It calls watch with the progress of the transfer,
// and with nil after the last.
func run(ctx context.Context, size int64, ceiling uint32, watch func(*progress)) (_ *progress, err error) {
	spec, err := loadCc()
	if err != nil {
		return nil, err
	}
	if err := spec.Variables[ccVarCeiling].Set(ceiling); err != nil {
		return nil, err
	}
	var objs ccObjects
	if err := structops.LoadAndAssign(spec, &objs, nil); err != nil {
		return nil, err
	}
	defer objs.Close()

	lnk, err := structops.Attach(objs.Tcpcc)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lnk.Close()) }()

	t, err := newTransfer(ctx, name)
	if err != nil {
		return nil, err
	}
	defer t.Close()

	p := &progress{size: size}
	defer watch(nil)
	err = t.run(ctx, size, func(s sample) error {
		p.samples = append(p.samples, s)
		defer watch(p)
		return p.read(&objs.ccVariables)
	})
	if err != nil {
		return nil, err
	}
	// The kernel releases the congestion control with the socket.
	t.Close()
	return p, p.read(&objs.ccVariables)
}

// read takes the counters from the program's variables.
func (p *progress) read(v *ccVariables) error {
	var calls ccCounts
	err := errors.Join(
		v.Calls.Get(&calls),
		v.Backoffs.Get(&p.backoffs),
		v.CwndMin.Get(&p.cwndMin),
		v.CwndMax.Get(&p.cwndMax),
	)
	p.callbacks = []callback{
		{"init", calls.Init},
		{"cong_avoid", calls.CongAvoid},
		{"pkts_acked", calls.PktsAcked},
		{"cwnd_event", calls.CwndEvent},
		{"set_state", calls.SetState},
		{"ssthresh", calls.Ssthresh},
		{"undo_cwnd", calls.UndoCwnd},
		{"release", calls.Release},
	}
	return err
}

// explain turns what goes wrong most often into a sentence.
func explain(err error) string {
	_, statErr := os.Stat("/sys/kernel/btf/vmlinux")
	switch {
	case errors.Is(err, unix.EPERM), os.Geteuid() != 0 && errors.Is(err, ebpf.ErrNotSupported):
		return "needs root (CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)"
	case errors.Is(err, unix.EEXIST):
		return "a congestion control of the name " + name + " is registered already; does another tcpcc run?"
	case errors.Is(statErr, fs.ErrNotExist):
		return "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)"
	case olderThan(6, 4):
		return "needs Linux 6.4 or later, which has BPF links for struct_ops"
	case errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Sprintf("this kernel can't run a BPF congestion control: %v", err)
	}
	return err.Error()
}

// olderThan compares the release of the running kernel.
func olderThan(major, minor int) bool {
	var uname unix.Utsname
	var a, b int
	if unix.Uname(&uname) != nil {
		return false
	}
	if _, err := fmt.Sscanf(unix.ByteSliceToString(uname.Release[:]), "%d.%d", &a, &b); err != nil {
		return false
	}
	return a < major || a == major && b < minor
}
