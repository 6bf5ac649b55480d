package structops

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// loadPair loads testdata/replace_pair: old and new register one name, other
// another one.
func loadPair(t testing.TB) *Collection {
	t.Helper()
	needLinks(t)
	obj, err := openFile(golden("replace_pair-el.elf"))
	if err != nil {
		t.Fatal(err)
	}
	return mustLoad(t, obj, nil)
}

// mustPopulate returns a map that a link can be updated to.
func mustPopulate(t testing.TB, coll *Collection, name string) *ebpf.Map {
	t.Helper()
	m, err := coll.Populate(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wantRunning checks which map a link runs.
func wantRunning(t testing.TB, lnk *Link, m *ebpf.Map) {
	t.Helper()
	got, err := lnk.MapID()
	if err != nil {
		t.Fatal(err)
	}
	if want := must(mapID(m)); got != want {
		t.Errorf("link runs map %d, want %d", got, want)
	}
}

func TestUpdateMap(t *testing.T) {
	coll := loadPair(t)
	lnk := mustAttach(t, coll, "old")
	wantError(t, lnk.UpdateMap(coll.Maps["new"]), syscall.EINVAL, "the new map is not populated")
	old, new, other := mustPopulate(t, coll, "old"), mustPopulate(t, coll, "new"), mustPopulate(t, coll, "other")
	before := must(lnk.Info())
	wantRunning(t, lnk, old)

	if err := lnk.UpdateMap(new); err != nil {
		t.Fatal(err)
	}
	wantRunning(t, lnk, new)
	if after := must(lnk.Info()); after.ID != before.ID || after.Type != link.StructOpsType {
		t.Errorf("link is %d of type %d, was %d", after.ID, after.Type, before.ID)
	}

	wantError(t, lnk.Replace(old, other), syscall.EPERM, "the link runs another map than the one to be replaced")
	wantError(t, lnk.UpdateMap(other), syscall.EINVAL, "has another name")
	wantRunning(t, lnk, new)
	if err := lnk.Replace(new, old); err != nil {
		t.Fatal(err)
	}
	wantRunning(t, lnk, old)

	wantError(t, lnk.UpdateMap(nil), nil, "map is nil")
	wantError(t, lnk.Replace(nil, new), nil, "old map: map is nil")
	wantError(t, lnk.UpdateMap(coll.Maps[".bss"]), nil, "is not a struct_ops map")

	if err := lnk.Detach(); err != nil {
		t.Fatal(err)
	}
	wantError(t, lnk.UpdateMap(new), ErrDetached, "link is detached")
	wantError(t, lnk.UpdateMap(new), syscall.ENOLINK)
	wantError(t, lnk.Replace(old, new), ErrDetached)
	_, err := lnk.MapID()
	wantError(t, err, ErrDetached)
}

// TestOpenPinned updates a link that was opened from its pin, and detaches it
// by removing the pin.
func TestOpenPinned(t *testing.T) {
	coll := loadPair(t)
	dir, err := os.MkdirTemp("/sys/fs/bpf", "ebpfx_")
	if err != nil {
		t.Skipf("needs a bpffs: %v", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "link")
	lnk := mustAttach(t, coll, "old")
	if err := lnk.Pin(path); err != nil {
		t.Fatal(err)
	}
	if err := lnk.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(congestionControls(t), "ebpfx_replace") {
		t.Error("the pin does not keep the link")
	}

	pinned, err := OpenPinned(path)
	if err != nil {
		t.Fatal(err)
	}
	wantRunning(t, pinned, coll.Maps["old"])
	if err := pinned.Replace(coll.Maps["old"], mustPopulate(t, coll, "new")); err != nil {
		t.Fatal(err)
	}
	wantRunning(t, pinned, coll.Maps["new"])
	if err := errors.Join(pinned.Unpin(), pinned.Close()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(congestionControls(t), "ebpfx_replace") {
		t.Error("still registered")
	}
	_, err = OpenPinned(path)
	wantError(t, err, os.ErrNotExist, path)
}

// TestWait ends waits in every way.
func TestWait(t *testing.T) {
	coll := loadPair(t)
	wait := func(ctx context.Context, lnk *Link) <-chan error {
		done := make(chan error, 1)
		go func() { done <- lnk.Wait(ctx) }()
		return done
	}
	ends := func(done <-chan error) error {
		select {
		case err := <-done:
			return err
		case <-time.After(10 * time.Second):
			t.Fatal("no end")
		}
		return nil
	}

	lnk := mustAttach(t, coll, "old")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := lnk.Wait(ctx)
	if errors.Is(err, ebpf.ErrNotSupported) {
		t.Skipf("needs Linux 6.11: %v", err)
	}
	wantError(t, err, context.DeadlineExceeded)

	done, again := wait(t.Context(), lnk), wait(t.Context(), lnk)
	time.Sleep(20 * time.Millisecond)
	if err := lnk.Detach(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ends(done), ends(again), lnk.Wait(t.Context())); err != nil {
		t.Error(err)
	}

	other := mustAttach(t, coll, "other")
	done = wait(t.Context(), other)
	time.Sleep(20 * time.Millisecond)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, ends(done), os.ErrClosed)
	wantError(t, other.Wait(t.Context()), os.ErrClosed)
	if strings.Contains(congestionControls(t), "ebpfx_other") {
		t.Error("Close has not detached a link that somebody waits for")
	}
}

// TestLinkOfRegistration proves that legacy maps say what they can't.
func TestLinkOfRegistration(t *testing.T) {
	needKernel(t)
	coll := mustLoad(t, openGolden(t, "legacy"), nil)
	lnk := mustAttach(t, coll, "legacy")
	if _, err := lnk.MapID(); err != nil {
		t.Error(err)
	}
	_, err := lnk.Info()
	for _, err := range []error{err, lnk.Wait(t.Context()), lnk.UpdateMap(coll.Maps["legacy"]), lnk.Replace(coll.Maps["legacy"], nil), lnk.Pin("/x")} {
		wantError(t, err, ebpf.ErrNotSupported, ".struct_ops")
	}
	if err := lnk.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = lnk.MapID()
	wantError(t, err, ErrDetached)
}

var _ link.Link = (*Link)(nil)
