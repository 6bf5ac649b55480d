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

// sampleInterval is the time between two samples of a transfer.
const sampleInterval = 10 * time.Millisecond

// A sample is the state of a transfer at one moment.
type sample struct {
	at    time.Duration // since the start
	cwnd  uint32        // in packets
	bytes int64         // read by the receiver
}

// A transfer is a TCP connection over loopback, both ends of it.
type transfer struct {
	sender, receiver *net.TCPConn
	received         atomic.Int64
	started          time.Time
}

// newTransfer connects over loopback. The congestion control steers the
// sender. The caller closes the transfer.
func newTransfer(ctx context.Context, congestion string) (*transfer, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close()

	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return control(c, func(fd int) error { return configure(fd, congestion) })
	}}
	sender, err := dialer.DialContext(ctx, "tcp4", listener.Addr().String())
	if err != nil {
		return nil, err
	}
	receiver, err := listener.Accept()
	if err != nil {
		sender.Close()
		return nil, err
	}
	return &transfer{sender: sender.(*net.TCPConn), receiver: receiver.(*net.TCPConn)}, nil
}

func configure(fd int, congestion string) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, segmentSize); err != nil {
		return fmt.Errorf("TCP_MAXSEG %d: %w", segmentSize, err)
	}
	if err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion); err != nil {
		return fmt.Errorf("TCP_CONGESTION %q: %w", congestion, err)
	}
	return nil
}

// control calls f with the file descriptor of a connection.
func control(c syscall.RawConn, f func(fd int) error) error {
	var ferr error
	if err := c.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		return err
	}
	return ferr
}

// Close closes both ends. It may be called more than once, at any time.
func (t *transfer) Close() {
	t.sender.Close()
	t.receiver.Close()
}

// run sends size bytes and waits until the receiver has read them. It calls
// observe with a sample at the start, at every interval and at the end, and
// stops at the first error.
//
// Returns the error of the context if that is cancelled meanwhile.
func (t *transfer) run(ctx context.Context, size int64, observe func(sample) error) error {
	defer context.AfterFunc(ctx, t.Close)()
	ticker := time.NewTicker(sampleInterval)
	defer ticker.Stop()

	t.started = time.Now()
	if err := t.sample(observe); err != nil {
		return err
	}
	sent, received := make(chan error, 1), make(chan error, 1)
	go func() { sent <- t.send(size) }()
	go func() { received <- t.receive() }()

	var errs error
	for sent != nil || received != nil {
		select {
		case err := <-sent:
			errs, sent = errors.Join(errs, err), nil
		case err := <-received:
			errs, received = errors.Join(errs, err), nil
		case <-ticker.C:
			errs = errors.Join(errs, t.sample(observe))
		}
		if errs != nil {
			t.Close()
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(errs, t.sample(observe))
}

// send writes size bytes, then waits for the receiver to close.
func (t *transfer) send(size int64) error {
	chunk := make([]byte, 256<<10)
	for size > 0 {
		n, err := t.sender.Write(chunk[:min(size, int64(len(chunk)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	if err := t.sender.CloseWrite(); err != nil {
		return err
	}
	if _, err := t.sender.Read(chunk[:1]); err != io.EOF {
		return err
	}
	return nil
}

// receive reads until the sender has no more, then closes the receiver.
func (t *transfer) receive() error {
	defer t.receiver.Close()
	chunk := make([]byte, 256<<10)
	for {
		n, err := t.receiver.Read(chunk)
		t.received.Add(int64(n))
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// sample asks the kernel about the sender.
func (t *transfer) sample(observe func(sample) error) error {
	raw, err := t.sender.SyscallConn()
	if err != nil {
		return err
	}
	return control(raw, func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return fmt.Errorf("TCP_INFO: %w", err)
		}
		return observe(sample{time.Since(t.started), info.Snd_cwnd, t.received.Load()})
	})
}
