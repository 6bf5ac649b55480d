//go:build linux

package integration

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/ebpfx/ebpfx/btfx"
	"github.com/ebpfx/ebpfx/structops"
)

// replacements is how often the congestion control is replaced during one transfer.
const replacements = 500

// liveName is what the congestion control is called: other tests, which may run
// meanwhile, register the name in the object.
const liveName = "ebpfx_live"

// TestLiveReplacement replaces the congestion control of a connection again and
// again while it transfers: nothing of it is lost, and the new one does the work.
func TestLiveReplacement(t *testing.T) {
	needRoot(t)
	k, err := btfx.LoadKernel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Find(btfx.KindStruct, "bpf_struct_ops_link"); err != nil {
		t.Skipf("needs Linux 6.4, with BPF links for struct_ops: %v", err)
	}
	obj := openObject(t, golden("replace_pair"))
	names := []string{"old", "new"}
	for _, name := range names {
		if err := obj.Ops[name].Set("name", liveName); err != nil {
			t.Fatal(err)
		}
	}
	coll := mustLoad(t, obj)
	var maps []*ebpf.Map
	for _, name := range names {
		m, err := coll.Populate(name)
		if err != nil {
			t.Fatal(err)
		}
		maps = append(maps, m)
	}
	lnk, err := coll.Attach("old")
	if err != nil {
		t.Fatal(err)
	}
	defer lnk.Close()
	before, err := lnk.Info()
	if err != nil {
		t.Fatal(err)
	}

	transfer := startTransfer(t, liveName)
	start := time.Now()
	for i := range replacements {
		next := (i + 1) % 2
		if i%5 == 0 {
			err = lnk.Replace(maps[1-next], maps[next])
		} else {
			err = lnk.UpdateMap(maps[next])
		}
		if err != nil {
			t.Fatalf("update %d: %v", i, err)
		}
		// A connection keeps its congestion control until it is set again.
		if err := transfer.setCongestion(liveName); err != nil {
			t.Fatalf("update %d: %v", i, err)
		}
		if i%50 == 0 {
			wantCalls(t, coll, names[next], names[1-next])
		}
	}
	t.Logf("%d updates in %v", replacements, time.Since(start).Round(time.Millisecond))
	wantCalls(t, coll, "old", "new")
	transfer.finish(t)

	after, err := lnk.Info()
	if err != nil || after.ID != before.ID {
		t.Errorf("link is %v, %v; was %v", after, err, before)
	}
	if err := lnk.Replace(maps[1], maps[0]); !errors.Is(err, syscall.EPERM) {
		t.Errorf("wrong old map: got %v, want EPERM", err)
	}
	if err := lnk.Detach(); err != nil {
		t.Fatal(err)
	}
	if err := lnk.UpdateMap(maps[1]); !errors.Is(err, structops.ErrDetached) || !strings.Contains(err.Error(), "detached") {
		t.Errorf("detached link: got %v, want ErrDetached", err)
	}
}

// wantCalls waits until the callbacks of a map are called, and checks that those
// of the other one are not any more.
func wantCalls(t *testing.T, coll *structops.Collection, running, gone string) {
	t.Helper()
	count := func(name string) (n uint64) {
		if err := coll.Variables["calls_"+name].Get(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	stale, from := count(gone), count(running)
	for range 500 {
		if count(running) > from {
			if n := count(gone); n != stale {
				t.Errorf("%s is called %d times after it was replaced", gone, n-stale)
			}
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s is never called", running)
}

// liveTransfer is a TCP connection over loopback that transfers until it is told
// to finish.
type liveTransfer struct {
	sender, receiver *net.TCPConn
	stop             atomic.Bool
	sent, received   chan part
}

// part is what one end of the connection has seen.
type part struct {
	bytes int64
	sum   []byte
	err   error
}

// startTransfer connects with a congestion control and begins to transfer.
func startTransfer(t *testing.T, congestion string) *liveTransfer {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error { return setCongestion(c, congestion) }}
	sender, err := dialer.DialContext(context.Background(), "tcp4", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sender.Close() })
	receiver, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { receiver.Close() })

	l := &liveTransfer{
		sender: sender.(*net.TCPConn), receiver: receiver.(*net.TCPConn),
		sent: make(chan part, 1), received: make(chan part, 1),
	}
	go func() { l.sent <- l.send() }()
	go func() { l.received <- l.receive() }()
	return l
}

func (l *liveTransfer) send() part {
	sum := sha256.New()
	var sent int64
	chunk := make([]byte, 64<<10)
	for n := byte(0); !l.stop.Load(); n++ {
		chunk[0], chunk[len(chunk)-1] = n, ^n
		if _, err := l.sender.Write(chunk); err != nil {
			return part{sent, nil, err}
		}
		sum.Write(chunk)
		sent += int64(len(chunk))
		time.Sleep(100 * time.Microsecond) // leave the machine to others, too
	}
	return part{sent, sum.Sum(nil), l.sender.CloseWrite()}
}

func (l *liveTransfer) receive() part {
	sum := sha256.New()
	n, err := io.Copy(sum, l.receiver)
	return part{n, sum.Sum(nil), err}
}

func (l *liveTransfer) setCongestion(name string) error {
	c, err := l.sender.SyscallConn()
	if err != nil {
		return err
	}
	return setCongestion(c, name)
}

func setCongestion(c syscall.RawConn, name string) error {
	var sockErr error
	err := c.Control(func(fd uintptr) {
		sockErr = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
	})
	return errors.Join(err, sockErr)
}

// finish ends the transfer and compares what was sent with what has arrived.
func (l *liveTransfer) finish(t *testing.T) {
	t.Helper()
	l.stop.Store(true)
	sent, received := <-l.sent, <-l.received
	if err := errors.Join(sent.err, received.err); err != nil {
		t.Fatalf("connection broken: %v", err)
	}
	if sent.bytes != received.bytes || string(sent.sum) != string(received.sum) {
		t.Errorf("%d bytes sent, %d received", sent.bytes, received.bytes)
	}
	t.Logf("%d MiB transferred", received.bytes>>20)
}
