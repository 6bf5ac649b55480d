package structops

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cilium/ebpf"
)

// TestExceptionCallback throws, and gets what the callback returns.
func TestExceptionCallback(t *testing.T) {
	needLinks(t)
	coll, err := openGolden(t, "exception").Load(nil)
	if errors.Is(err, ebpf.ErrNotSupported) {
		t.Skipf("needs Linux 6.7: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer coll.Close()
	ret, err := coll.Programs["entry"].Run(&ebpf.RunOptions{Data: bytes.Repeat([]byte{0}, 64)})
	if err != nil {
		t.Fatal(err)
	}
	if ret != 4 {
		t.Errorf("returned %d, want what on_throw(3) makes of it, 4", ret)
	}
}

// TestCanaryExceptionCallback proves that upstream still loses the callback.
func TestCanaryExceptionCallback(t *testing.T) {
	needLinks(t)
	coll, err := ebpf.LoadCollection(golden("structops_exception-el.elf"))
	if err == nil {
		coll.Close()
		t.Error("upstream links exception callbacks: exception.go in btfx can be deleted")
	}
}
