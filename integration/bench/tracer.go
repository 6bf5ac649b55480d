//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
)

// call is struct call of bench_trace.c: one bpf(2).
type call struct {
	Enter, Leave uint64 // ns
	PID, Command uint32
	BTF          uint32 // prog_btf_fd
	Ret          int32
}

// progLoad is BPF_PROG_LOAD.
const progLoad = 5

// tracer sees all calls of bpf(2) on this machine while it is attached.
type tracer struct {
	coll  *ebpf.Collection
	calls *ringbuf.Reader
	links []link.Link
}

// startTracer loads the BPF program.
func startTracer(path string) (*tracer, error) {
	coll, err := ebpf.LoadCollection(path)
	if err != nil {
		return nil, err
	}
	reader, err := ringbuf.NewReader(coll.Maps["calls"])
	if err != nil {
		coll.Close()
		return nil, err
	}
	return &tracer{coll: coll, calls: reader}, nil
}

// Close detaches the tracer, too.
func (t *tracer) Close() {
	t.detach()
	t.calls.Close()
	t.coll.Close()
}

func (t *tracer) attach() error {
	for _, p := range []struct{ tracepoint, program string }{{"sys_enter", "enter"}, {"sys_exit", "leave"}} {
		lnk, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: p.tracepoint, Program: t.coll.Programs[p.program]})
		if err != nil {
			return err
		}
		t.links = append(t.links, lnk)
	}
	return nil
}

func (t *tracer) detach() error {
	var errs []error
	for _, lnk := range t.links {
		errs = append(errs, lnk.Close())
	}
	t.links = nil
	return errors.Join(errs...)
}

// read returns the calls of a process that has ended, in the order in which they
// began.
func (t *tracer) read(pid int) ([]call, error) {
	var calls []call
	t.calls.SetDeadline(time.Unix(1, 0))
	for {
		record, err := t.calls.Read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			slices.SortFunc(calls, func(a, b call) int { return int(int64(a.Enter - b.Enter)) })
			return calls, nil
		}
		if err != nil {
			return nil, err
		}
		var c call
		if err := binary.Read(bytes.NewReader(record.RawSample), binary.LittleEndian, &c); err != nil {
			return nil, err
		}
		if int(c.PID) == pid {
			calls = append(calls, c)
		}
	}
}

// insideAny returns the time in which at least one thread was inside a call.
func insideAny(calls []call) time.Duration {
	var sum, end uint64
	for _, c := range calls {
		if c.Leave > end {
			sum += c.Leave - max(c.Enter, end)
			end = c.Leave
		}
	}
	return time.Duration(sum)
}

// programPhase returns the time from the first load of a program with BTF to the
// end of the last one. The programs by which loaders probe the kernel have none.
func programPhase(calls []call) time.Duration {
	var start, end uint64
	for _, c := range calls {
		if c.Command != progLoad || c.BTF == 0 || c.Ret < 0 {
			continue
		}
		if start == 0 {
			start = c.Enter
		}
		end = max(end, c.Leave)
	}
	return time.Duration(end - start)
}
