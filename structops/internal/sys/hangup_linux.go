package sys

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// WaitHangup waits until an FD reports EPOLLHUP and nothing else, or until the
// context is done, whose error it returns then. An FD that does not report its
// state, and so is always ready, gives [errors.ErrUnsupported].
//
// The FD may be closed meanwhile, which does not end the wait: epoll, other than poll(2),
// does not keep the file open.
func WaitHangup(ctx context.Context, fd int) error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	defer unix.Close(epoll)
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	defer unix.Close(wake)
	for _, f := range []int{wake, fd} {
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, f, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(f)}); err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
	}
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		// An eventfd takes a write until its counter overflows.
		_, _ = unix.Write(wake, []byte{1, 0, 0, 0, 0, 0, 0, 1})
	})
	defer func() {
		if !stop() {
			<-woken // before its FD is closed
		}
	}()
	events := make([]unix.EpollEvent, 2)
	for {
		n, err := unix.EpollWait(epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("epoll: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		for _, e := range events[:max(n, 0)] {
			switch {
			case e.Fd != int32(fd):
			case e.Events&unix.EPOLLHUP == 0:
				return errors.ErrUnsupported
			default:
				return nil
			}
		}
	}
}
