//go:build linux

// Rust_scx runs a CPU scheduler that is written in Rust: see fifo.rs, which
// plain rustc and LLVM's code generator turn into the object embedded here. All
// tasks of the machine are scheduled by it, first come, first served, until it is
// interrupted, its time is over or the kernel ejects it.
//
// It needs root, and Linux 6.12 or later with sched_ext
// (CONFIG_SCHED_CLASS_EXT). Try it in a virtual machine first.
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
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/ebpfx/ebpfx/structops"
)

//go:generate env RUSTC_BOOTSTRAP=1 ./build.sh fifo

//go:embed fifo.o
var object []byte

// stats is struct Stats of fifo.rs.
type stats struct {
	Enqueued, Dispatched uint64
	ExitKind             int32
	Exited               uint32
}

func main() {
	duration := flag.Duration("for", 0, "`time` to run, 0 for no limit")
	interval := flag.Duration("every", time.Second, "`time` between two lines of statistics")
	flag.Parse()
	if flag.NArg() > 0 || *duration < 0 || *interval <= 0 {
		fmt.Fprintln(os.Stderr, "rust_scx: takes no arguments, and times above zero")
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	if *duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *duration)
		defer cancel()
	}
	last, err := run(ctx, *interval, func(line string) { fmt.Println(line) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "rust_scx:", explain(err))
		os.Exit(1)
	}
	fmt.Printf("%d tasks queued, %d taken off the queue. %v.\n", last.Enqueued, last.Dispatched, exitKind(last.ExitKind))
	if exitKind(last.ExitKind).isError() {
		os.Exit(1)
	}
}

// run loads and attaches the scheduler, shows statistics until the context is
// done or the kernel has ejected the scheduler, and detaches it. It returns what the
// scheduler itself said at the end.
func run(ctx context.Context, interval time.Duration, show func(string)) (s stats, err error) {
	obj, err := structops.Open(bytes.NewReader(object))
	if err != nil {
		return s, err
	}
	coll, err := obj.Load(nil)
	if err != nil {
		return s, err
	}
	defer coll.Close()

	lnk, err := coll.Attach("fifo")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, lnk.Close()) }()

	variable := coll.Variables["STATS"]
	var before stats
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for s.Exited == 0 {
		select {
		case <-ctx.Done():
			if err := lnk.Close(); err != nil {
				return s, err
			}
			return s, waitExit(variable, &s)
		case <-ticker.C:
			if err := variable.Get(&s); err != nil {
				return s, err
			}
			show(fmt.Sprintf("%s: %d tasks queued, %d in this interval, %d taken off the queue",
				state(), s.Enqueued, s.Enqueued-before.Enqueued, s.Dispatched))
			before = s
		}
	}
	return s, nil
}

// waitExit waits until the scheduler has said why it ends: the kernel takes its
// time to hand all tasks back.
func waitExit(variable *ebpf.Variable, s *stats) error {
	for range 100 {
		if err := variable.Get(s); err != nil || s.Exited != 0 {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("the scheduler is detached, but its callback exit was not called within 5 s")
}

// state returns what the kernel says about schedulers in BPF.
func state() string {
	b, err := os.ReadFile("/sys/kernel/sched_ext/state")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

// explain turns what goes wrong most often into a sentence.
func explain(err error) string {
	_, statErr := os.Stat("/sys/kernel/sched_ext")
	switch {
	case errors.Is(err, unix.EPERM), os.Geteuid() != 0 && errors.Is(err, ebpf.ErrNotSupported):
		return "needs root (CAP_BPF and CAP_SYS_ADMIN)"
	case errors.Is(statErr, os.ErrNotExist):
		return "this kernel has no sched_ext, which is in Linux 6.12 and later with CONFIG_SCHED_CLASS_EXT; nothing was changed"
	case errors.Is(err, unix.EBUSY):
		return "another scheduler is running, and it stays: detach it first"
	}
	return err.Error()
}
