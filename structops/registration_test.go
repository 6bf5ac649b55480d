package structops

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

// TestRegister registers ops beyond the collection, and unregisters them by ID.
func TestRegister(t *testing.T) {
	needKernel(t)
	coll := mustLoad(t, openGolden(t, "legacy"), nil)
	id, err := coll.Register("legacy")
	if err != nil {
		t.Fatal(err)
	}
	coll.Close()
	if !strings.Contains(congestionControls(t), "ebpfx_legacy") {
		t.Error("not registered")
	}
	if err := Unregister(id); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the map to vanish", func() bool { return Unregister(id) != nil })
	wantError(t, Unregister(id), os.ErrNotExist)
	if strings.Contains(congestionControls(t), "ebpfx_legacy") {
		t.Error("still registered")
	}
}

func TestRegisterErrors(t *testing.T) {
	coll := loadPair(t)
	_, err := coll.Register("old")
	wantError(t, err, ebpf.ErrNotSupported, "use Attach")
	mustPopulate(t, coll, "old")
	wantError(t, Unregister(must(mapID(coll.Maps["old"]))), ebpf.ErrNotSupported, "attached through a BPF link")
	wantError(t, Unregister(must(mapID(coll.Maps[".bss"]))), nil, "not a struct_ops map")
	wantError(t, Unregister(1<<31), os.ErrNotExist, "map 2147483648")

	legacy := mustLoad(t, openGolden(t, "legacy"), nil)
	_, err = legacy.Populate("legacy")
	wantError(t, err, ebpf.ErrNotSupported, "use Register")
	wantError(t, Unregister(must(mapID(legacy.Maps["legacy"]))), os.ErrNotExist, "it is not registered")
}

// crashEnv makes the test binary a loader that waits to be killed.
const crashEnv = "EBPFX_TEST_CRASH"

// TestCrash kills a loader: its links vanish, and what it has registered without
// a link is found and removed by ID.
func TestCrash(t *testing.T) {
	if os.Getenv(crashEnv) != "" {
		attachAndHang(t)
	}
	needLinks(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestCrash$", "-test.v")
	cmd.Env = append(os.Environ(), crashEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	ready := false
	for scan := bufio.NewScanner(out); !ready && scan.Scan(); {
		lines = append(lines, scan.Text())
		ready = scan.Text() == "attached"
	}
	before := congestionControls(t)
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // killed
	if !ready || !strings.Contains(before, "ebpfx_other") || !strings.Contains(before, "ebpfx_legacy") {
		t.Fatalf("the loader has not attached: %s\n%s", before, strings.Join(lines, "\n"))
	}

	waitFor(t, "the link to vanish", func() bool { return !strings.Contains(congestionControls(t), "ebpfx_other") })
	if !strings.Contains(congestionControls(t), "ebpfx_legacy") {
		t.Error("the legacy map has vanished")
	}
	left := slices.DeleteFunc(attachments(t), func(a Attachment) bool { return a.Name != "legacy" || a.State != StateInUse })
	if len(left) != 1 || !left[0].Running() || left[0].OpsType != "tcp_congestion_ops" {
		t.Fatalf("found %+v", left)
	}
	if err := Unregister(left[0].Map); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(congestionControls(t), "ebpfx_legacy") {
		t.Error("still registered")
	}
}

func attachAndHang(t *testing.T) {
	legacy := mustLoad(t, openGolden(t, "legacy"), nil)
	if _, err := legacy.Attach("legacy"); err != nil {
		t.Fatal(err)
	}
	if _, err := loadPair(t).Attach("other"); err != nil {
		t.Fatal(err)
	}
	fmt.Println("attached")
	time.Sleep(time.Minute)
	os.Exit(1) // nobody has killed us
}

// attachments collects what the kernel has.
func attachments(t testing.TB) []Attachment {
	t.Helper()
	var all []Attachment
	for a, err := range Attached() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

// waitFor polls for something that the kernel does in its own time.
func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for range 200 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("waited in vain for %s", what)
}
