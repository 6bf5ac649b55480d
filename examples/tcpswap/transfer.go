//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// segmentSize is the segment size of the transfer, in bytes: Ethernet's, since
// loopback's own of 64 KiB would make a window of a few packets.
const segmentSize = 1448

// sampleInterval is the time between two samples of a transfer, rateSamples the
// number of samples over which a throughput is measured.
const (
	sampleInterval = 10 * time.Millisecond
	rateSamples    = 10
)

// A sample is the state of a transfer at one moment.
type sample struct {
	at    time.Duration // since the start
	cwnd  uint32        // in packets
	bytes int64         // read by the receiver
}

// A transfer is a TCP connection over loopback, both ends of it.
type transfer struct {
	sender, receiver net.Conn
	raw              syscall.RawConn // of the sender
	sent, received   atomic.Int64
}

// newTransfer connects over loopback. The caller closes the transfer.
func newTransfer(ctx context.Context, congestion string) (*transfer, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	t := &transfer{}
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		t.raw = c
		return errors.Join(t.control(func(fd int) error {
			return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, segmentSize)
		}), t.setCongestion(congestion))
	}}
	if t.sender, err = dialer.DialContext(ctx, "tcp4", listener.Addr().String()); err != nil {
		return nil, err
	}
	if t.raw, err = t.sender.(*net.TCPConn).SyscallConn(); err == nil {
		t.receiver, err = listener.Accept()
	}
	if err != nil {
		t.sender.Close()
		return nil, err
	}
	return t, nil
}

// control calls f with the file descriptor of the sender.
func (t *transfer) control(f func(fd int) error) error {
	var ferr error
	return errors.Join(t.raw.Control(func(fd uintptr) { ferr = f(int(fd)) }), ferr)
}

// setCongestion chooses the congestion control of the sender.
func (t *transfer) setCongestion(name string) error {
	return t.control(func(fd int) error {
		if err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, name); err != nil {
			return fmt.Errorf("TCP_CONGESTION %q: %w", name, err)
		}
		return nil
	})
}

// close closes both ends.
func (t *transfer) close() {
	t.sender.Close()
	t.receiver.Close()
}

// run transfers for some time and takes samples meanwhile. It calls swap once,
// halfway.
func (t *transfer) run(ctx context.Context, length time.Duration, swap func(at time.Duration) error) (samples []sample, err error) {
	defer context.AfterFunc(ctx, t.close)()
	start := time.Now()
	ended := make(chan error, 2)
	go func() { ended <- t.send(start.Add(length)) }()
	go func() { ended <- t.receive() }()

	ticker := time.NewTicker(sampleInterval)
	defer ticker.Stop()
	for running, swapped := 2, false; running > 0; {
		select {
		case e := <-ended:
			running--
			if err = errors.Join(err, e); err != nil {
				t.close()
			}
		case <-ticker.C:
			at := time.Since(start)
			if !swapped && at >= length/2 {
				swapped = true
				err = errors.Join(err, swap(at))
			}
			s, e := t.sample(at)
			samples, err = append(samples, s), errors.Join(err, e)
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return samples, err
}

// send writes until the time is over, then waits for the receiver to have it all.
func (t *transfer) send(until time.Time) error {
	chunk := make([]byte, 64<<10)
	for time.Now().Before(until) {
		n, err := t.sender.Write(chunk)
		t.sent.Add(int64(n))
		if err != nil {
			return err
		}
	}
	if err := t.sender.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	if _, err := t.sender.Read(chunk[:1]); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// receive reads until the sender has no more, then closes its end.
func (t *transfer) receive() error {
	defer t.receiver.Close()
	chunk := make([]byte, 256<<10)
	for {
		n, err := t.receiver.Read(chunk)
		t.received.Add(int64(n))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// sample asks the kernel about the sender.
func (t *transfer) sample(at time.Duration) (sample, error) {
	s := sample{at: at, bytes: t.received.Load()}
	err := t.control(func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return fmt.Errorf("TCP_INFO: %w", err)
		}
		s.cwnd = info.Snd_cwnd
		return nil
	})
	return s, err
}
