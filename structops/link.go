package structops

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// Link is an attached struct_ops map.
//
// For a map of section .struct_ops.link it is a BPF link: it can be pinned, and
// Close detaches unless it is. For a legacy map (section .struct_ops) the
// kernel has no link: Close and Detach unregister the value; Pin, Info, Wait and
// the update methods return an error that wraps [ebpf.ErrNotSupported]; and a
// process that ends without Close leaves the ops registered, see [Unregister].
//
// A Link is itself a [link.Link]. Detach of a BPF link needs Linux 6.11 (6fb2544ea149).
type Link struct {
	link.Link

	mu     sync.Mutex    // guards Link's FD
	closed chan struct{} // by Close, once
}

func newLink(lnk link.Link) *Link { return &Link{Link: lnk, closed: make(chan struct{})} }

// OpenPinned opens a link that [Link.Pin] has left in a bpffs. The caller closes
// it, which does not detach as long as the pin exists.
//
// Returns an error wrapping [os.ErrNotExist] if there is nothing, and one
// wrapping [ebpf.ErrNotSupported] if the link there is of another type.
//
// Differs from libbpf bpf_link__open, whose result can't be updated.
func OpenPinned(path string) (*Link, error) {
	lnk, err := link.LoadPinnedLink(path, nil)
	if err != nil {
		return nil, fmt.Errorf("link %q: %w", path, err)
	}
	info, err := lnk.Info()
	if err == nil && info.Type != link.StructOpsType {
		err = fmt.Errorf("type %d is not struct_ops: %w", info.Type, ebpf.ErrNotSupported)
	}
	if err != nil {
		lnk.Close()
		return nil, fmt.Errorf("link %q: %w", path, err)
	}
	return newLink(lnk), nil
}

// Close releases the link. It detaches unless the link is pinned or somebody else
// has it open. A Wait that runs returns an error that wraps [os.ErrClosed].
func (l *Link) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return l.Link.Close()
}

// MapID returns the ID of the map that the link runs now, which changes with an
// update. It completes Info, which is upstream's and has no place for it.
//
// Returns an error that wraps [ErrDetached] if it runs none.
func (l *Link) MapID() (ebpf.MapID, error) {
	if r, ok := l.Link.(*registration); ok {
		return r.mapID()
	}
	fd, err := l.fd()
	if err != nil {
		return 0, err
	}
	id, err := sys.LinkMapID(fd)
	runtime.KeepAlive(l)
	if err != nil {
		return 0, fmt.Errorf("struct_ops link: info: %w", err)
	}
	if id == 0 {
		return 0, ErrDetached
	}
	return ebpf.MapID(id), nil
}

// ErrDetached is returned by methods of a [Link] that runs no map any more: it
// was detached, or the kernel has ended the ops.
var ErrDetached = errors.New("struct_ops link is detached")

// UpdateMap lets the link run another map, without a moment in which there are
// no ops. The map must be populated: [LoadAndAssign] does that for those it hands out,
// [Collection.Populate] for others.
//
// What is running keeps the ops it has until the subsystem changes over: a TCP
// connection when its congestion control is set again.
//
// Returns an error that wraps [ErrDetached] if the link is detached, and one that wraps
// [ebpf.ErrNotSupported] if the subsystem can't replace running ops; of those
// in Linux 6.12 only tcp_congestion_ops can, between maps of one name.
//
// Requires Linux 6.4 (aef56f2e918b). Mirrors libbpf bpf_link__update_map.
func (l *Link) UpdateMap(m *ebpf.Map) error { return l.update(m, nil) }

// Replace is [Link.UpdateMap] if the link runs the map old, and otherwise an
// error that wraps [syscall.EPERM]. It lets two processes update one link without
// undoing the work of each other.
//
// Differs from libbpf, whose bpf_link__update_map does not use BPF_F_REPLACE.
func (l *Link) Replace(old, new *ebpf.Map) error {
	if err := linkMap(old); err != nil {
		return fmt.Errorf("replace: old map: %w", err)
	}
	return l.update(new, old)
}

func (l *Link) update(m, old *ebpf.Map) error {
	if err := linkMap(m); err != nil {
		return fmt.Errorf("update struct_ops link: %w", err)
	}
	fd, err := l.fd()
	if err != nil {
		return fmt.Errorf("update: %w", err)
	}
	attr := &sys.LinkUpdate{LinkFD: uint32(fd), NewMapFD: uint32(m.FD())}
	if old != nil {
		attr.Flags, attr.OldMapFD = sys.FlagReplace, uint32(old.FD())
	}
	err = sys.UpdateLink(attr)
	runtime.KeepAlive(l)
	runtime.KeepAlive(m)
	runtime.KeepAlive(old)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOLINK):
		return fmt.Errorf("update to %v: %w: %w", m, ErrDetached, err)
	case errors.Is(err, syscall.ENOTSUP):
		err = fmt.Errorf("%w: %w", ebpf.ErrNotSupported, err)
	}
	return explained(fmt.Sprintf("update struct_ops link to %v", m), because(err, "", "", updateReasons), err)
}

// updateReasons are those of bpf_struct_ops_map_link_update and of the
// subsystems' update functions.
var updateReasons = []reason{
	{errno: syscall.EPERM, text: "the link runs another map than the one to be replaced"},
	{errno: syscall.ENOTSUP, text: "the subsystem can't replace running ops: detach, then attach"},
	{errno: syscall.EINVAL, text: "the new map is not populated, is of another ops type, or has another name than the ops that run"},
	{errno: syscall.EEXIST, text: "the new map is registered already"},
	{errno: syscall.EBADF, text: "a map is closed"},
}

// Wait waits until the link is detached: by somebody with [Link.Detach], or by
// the kernel. It returns nil then, and the cause of the context if that is done
// first.
//
// A subsystem may end ops and leave the link: sched_ext of Linux 6.12 ejects a
// scheduler that misbehaves without a word to its link, so watch the exit info
// of the scheduler as well.
//
// Requires Linux 6.11 (1adddc97aa44); returns an error that wraps
// [ebpf.ErrNotSupported] before.
func (l *Link) Wait(ctx context.Context) error {
	fd, err := l.fd()
	if err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-l.closed:
			cancel(fmt.Errorf("wait: struct_ops link: %w", os.ErrClosed))
		case <-ctx.Done():
		}
	}()
	err = sys.WaitHangup(ctx, fd)
	runtime.KeepAlive(l)
	if errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("wait: this kernel does not tell when a struct_ops link ends, Linux 6.11 does: %w", ebpf.ErrNotSupported)
	}
	return err
}

// fd returns the FD of the BPF link.
func (l *Link) fd() (int, error) {
	if _, ok := l.Link.(*registration); ok {
		return -1, errNoLink
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	lnk, ok := l.Link.(interface{ FD() int })
	if !ok {
		return -1, fmt.Errorf("%T has no FD: %w", l.Link, ebpf.ErrNotSupported)
	}
	fd := lnk.FD()
	if fd < 0 {
		return -1, fmt.Errorf("struct_ops link: %w", os.ErrClosed)
	}
	return fd, nil
}
