//go:build linux

// Rust_cc runs a TCP congestion control that is written in Rust: see cc.rs,
// which plain rustc and LLVM's code generator turn into the object embedded
// here. It drives a transfer over loopback with it and shows how often the
// kernel calls each callback meanwhile.
//
// It needs root, and Linux 6.4 or later with BTF (CONFIG_DEBUG_INFO_BTF). The
// congestion control is registered as ebpfx_rust_cc for as long as the program
// runs; no socket but its own uses it.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/ebpfx/ebpfx/structops"
)

//go:generate ./build.sh cc

//go:embed cc.o
var object []byte

// name is what cc.rs calls the congestion control.
const name = "ebpfx_rust_cc"

// calls is struct Calls of cc.rs.
type calls struct{ Init, Release, Ssthresh, CongAvoid, UndoCwnd uint64 }

func (c calls) String() string {
	return fmt.Sprintf("init %d, cong_avoid %d, ssthresh %d, undo_cwnd %d, release %d", c.Init, c.CongAvoid, c.Ssthresh, c.UndoCwnd, c.Release)
}

// progress is what is known at one moment of the transfer.
type progress struct {
	elapsed  time.Duration
	received int64 // bytes
	calls    calls
}

func (p progress) String() string {
	return fmt.Sprintf("%5.1f s  %6.1f MiB  %v", p.elapsed.Seconds(), float64(p.received)/(1<<20), p.calls)
}

func main() {
	mib := flag.Int64("mib", 8, "`MiB` to transfer")
	flag.Parse()
	if flag.NArg() > 0 || *mib < 1 || *mib > 1<<20 {
		fmt.Fprintln(os.Stderr, "rust_cc: takes no arguments, and from 1 to 1048576 MiB")
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	watch, end := watcher()
	p, err := run(ctx, *mib<<20, watch)
	end()
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(os.Stderr, "rust_cc: interrupted, %s is detached\n", name)
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "rust_cc:", explain(err))
		os.Exit(1)
	}
	fmt.Printf("%s moved %d MiB in %.2f s and is detached. Calls: %v.\n", name, p.received>>20, p.elapsed.Seconds(), p.calls)
}

// run loads and registers the congestion control, transfers size bytes with it,
// and unregisters it. It calls watch with the progress of the transfer.
func run(ctx context.Context, size int64, watch func(progress)) (p progress, err error) {
	obj, err := structops.Open(bytes.NewReader(object))
	if err != nil {
		return p, err
	}
	coll, err := obj.Load(nil)
	if err != nil {
		return p, err
	}
	defer coll.Close()

	lnk, err := coll.Attach("rust_cc")
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, lnk.Close()) }()

	counters := coll.Variables["CALLS"]
	started := time.Now()
	err = transfer(ctx, name, size, func(received int64) error {
		p.elapsed, p.received = time.Since(started), received
		defer func() { watch(p) }()
		return counters.Get(&p.calls)
	})
	if err != nil {
		return p, err
	}
	// The kernel has called release by now, as the socket is closed.
	return p, counters.Get(&p.calls)
}

// watcher returns the functions that show progress and end the show: in place on
// a terminal, as a line now and then elsewhere.
func watcher() (watch func(progress), end func()) {
	if _, err := unix.IoctlGetTermios(int(os.Stdout.Fd()), unix.TCGETS); err == nil {
		return func(p progress) { fmt.Printf("\r\x1b[K%v", p) }, func() { fmt.Println() }
	}
	var shown time.Duration
	return func(p progress) {
		if p.elapsed-shown >= time.Second {
			shown = p.elapsed
			fmt.Println(p)
		}
	}, func() {}
}

// explain turns what goes wrong most often into a sentence.
func explain(err error) string {
	switch {
	case errors.Is(err, unix.EPERM), os.Geteuid() != 0 && errors.Is(err, ebpf.ErrNotSupported):
		return "needs root (CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)"
	case errors.Is(err, unix.EEXIST):
		return "a congestion control of the name " + name + " is registered already; does another rust_cc run?"
	case errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Sprintf("this kernel can't run a BPF congestion control, Linux 6.4 with BTF can: %v", err)
	}
	return err.Error()
}
