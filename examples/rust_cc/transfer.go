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

// interval is the time between two observations.
const interval = 50 * time.Millisecond

// transfer sends size bytes over a loopback connection whose sender has the
// given congestion control, and waits until they are received. It calls observe
// with the number of bytes received so far, now and then and at the end, and
// stops at its first error. Both ends are closed when it returns.
//
// Returns the error of the context if that is cancelled meanwhile.
func transfer(ctx context.Context, congestion string, size int64, observe func(received int64) error) error {
	sender, receiver, err := connect(ctx, congestion)
	if err != nil {
		return err
	}
	closeBoth := func() { sender.Close(); receiver.Close() }
	defer closeBoth()
	defer context.AfterFunc(ctx, closeBoth)()

	var received atomic.Int64
	done := make(chan error, 2)
	go func() { done <- send(sender, size) }()
	go func() { done <- receive(receiver, &received) }()

	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var errs error
	for running := 2; running > 0; {
		select {
		case err := <-done:
			errs = errors.Join(errs, err)
			running--
		case <-ticker.C:
			errs = errors.Join(errs, observe(received.Load()))
		}
		if errs != nil {
			closeBoth()
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	closeBoth()
	return errors.Join(errs, observe(received.Load()))
}

// connect returns both ends of a loopback connection.
func connect(ctx context.Context, congestion string) (sender, receiver net.Conn, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer listener.Close()
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion)
		}); cerr != nil {
			return cerr
		}
		if err != nil {
			return fmt.Errorf("TCP_CONGESTION %q: %w", congestion, err)
		}
		return nil
	}}
	if sender, err = dialer.DialContext(ctx, "tcp", listener.Addr().String()); err != nil {
		return nil, nil, err
	}
	if receiver, err = listener.Accept(); err != nil {
		sender.Close()
		return nil, nil, err
	}
	return sender, receiver, nil
}

// send writes size bytes, then waits for the receiver to close.
func send(c net.Conn, size int64) error {
	chunk := make([]byte, 64<<10)
	for size > 0 {
		n, err := c.Write(chunk[:min(size, int64(len(chunk)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	if _, err := c.Read(chunk[:1]); err != io.EOF {
		return err
	}
	return nil
}

// receive reads until the sender has no more, then closes.
func receive(c net.Conn, received *atomic.Int64) error {
	defer c.Close()
	chunk := make([]byte, 64<<10)
	for {
		n, err := c.Read(chunk)
		received.Add(int64(n))
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
