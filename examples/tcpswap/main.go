//go:build linux

// Tcpswap replaces the congestion control of a live transfer. Two of them are
// written in C and register one name; a BPF link runs the first, and halfway
// through a transfer over loopback it is updated to run the second. The congestion
// window and the throughput are drawn with the moment of the swap marked.
//
// It needs root, and Linux 6.4 or later with BTF (CONFIG_DEBUG_INFO_BTF). The
// congestion control is registered as ebpfx_tcpswap for as long as the program
// runs; no socket but its own uses it.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ebpfx/ebpfx/structops"
)

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -tags linux -no-global-types swap swap.c -- -O2 -mcpu=v3 -Wall -Werror

// name is what swap.c calls both congestion controls.
const name = "ebpfx_tcpswap"

// run is what happened to a transfer.
type run struct {
	samples           []sample
	swap              time.Duration // when the link was updated
	calm, eager       uint64        // calls for a window
	sent, received    int64         // in bytes
	linkBefore, after string        // the link and the map that it runs
}

func main() {
	length := flag.Duration("time", 4*time.Second, "how long to transfer")
	flag.Parse()
	if flag.NArg() > 0 || *length < time.Second || *length > time.Hour {
		fmt.Fprintln(os.Stderr, "tcpswap: takes no arguments, and a time from 1s to 1h")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	r, err := swapLive(ctx, *length)
	if err != nil {
		fmt.Fprintf(os.Stderr, "tcpswap: %v\n", err)
		os.Exit(1)
	}
	fmt.Print(r)
}

// swapLive transfers for some time and swaps the congestion control in the middle.
func swapLive(ctx context.Context, length time.Duration) (_ *run, err error) {
	spec, err := loadSwap()
	if err != nil {
		return nil, err
	}
	// Two maps of one type: only the file tells which callback is whose.
	var objs swapObjects
	if err := structops.LoadAndAssign(spec, &objs, &structops.Options{ELF: bytes.NewReader(_SwapBytes)}); err != nil {
		return nil, err
	}
	defer objs.Close()
	lnk, err := structops.Attach(objs.Calm)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lnk.Close()) }()

	r := &run{}
	if r.linkBefore, err = describe(lnk); err != nil {
		return nil, err
	}
	t, err := newTransfer(ctx, name)
	if err != nil {
		return nil, err
	}
	defer t.close()
	r.samples, err = t.run(ctx, length, func(at time.Duration) error {
		r.swap = at
		if err := lnk.Replace(objs.Calm, objs.Eager); err != nil {
			return err
		}
		// New connections use the new one from here on; this one when it is set again.
		return t.setCongestion(name)
	})
	if err != nil {
		return nil, err
	}
	r.sent, r.received = t.sent.Load(), t.received.Load()
	if r.after, err = describe(lnk); err != nil {
		return nil, err
	}
	return r, errors.Join(objs.CalmCalls.Get(&r.calm), objs.EagerCalls.Get(&r.eager))
}

// describe names the link and the map that it runs.
func describe(lnk *structops.Link) (string, error) {
	info, err := lnk.Info()
	if err != nil {
		return "", err
	}
	id, err := lnk.MapID()
	return fmt.Sprintf("link %d runs map %d", info.ID, id), err
}

// String draws the transfer.
func (r *run) String() string {
	var cwnd, rate series
	for i, s := range r.samples {
		cwnd = append(cwnd, point{s.at, float64(s.cwnd)})
		if i > 0 {
			before := r.samples[max(0, i-rateSamples)]
			rate = append(rate, point{s.at, float64(s.bytes-before.bytes) / (s.at - before.at).Seconds() / (1 << 20)})
		}
	}
	const width = 72
	return fmt.Sprintf("congestion window, packets\n%s\nthroughput, MiB/s\n%s\n"+
		"%s before, %s after the swap at %.2f s\n"+
		"calls for a window: %d of calm, %d of eager\n"+
		"%d bytes sent, %d received, the connection is the same\n",
		cwnd.draw(width, 8, r.swap), rate.draw(width, 5, r.swap),
		r.linkBefore, r.after, r.swap.Seconds(), r.calm, r.eager, r.sent, r.received)
}
