package integration

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain keeps the tests of other packages waiting while these run: what they
// register has a name in the kernel, and the golden objects are shared.
func TestMain(m *testing.M) {
	flag.Parse()
	// Fuzzing attaches nothing. Both it and tests that run themselves again have
	// processes beside this one.
	const locked = "EBPFX_TEST_LOCKED"
	if flag.Lookup("test.fuzz").Value.String() == "" && os.Getenv(locked) == "" {
		lock, err := os.OpenFile(filepath.Join(os.TempDir(), "ebpfx-test.lock"), os.O_CREATE|os.O_RDWR, 0o600)
		if err == nil {
			defer lock.Close()
			_ = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
			os.Setenv(locked, "1")
		}
	}
	m.Run()
}
