package structops

import (
	"strings"
	"syscall"
	"testing"
)

// TestAttachAll attaches all or nothing.
func TestAttachAll(t *testing.T) {
	coll := loadPair(t)
	_, err := coll.AttachAll("old", "other", "new")
	wantError(t, err, syscall.EEXIST, `map "new": attach tcp_congestion_ops`)
	if list := congestionControls(t); strings.Contains(list, "ebpfx_replace") || strings.Contains(list, "ebpfx_other") {
		t.Errorf("left behind: %s", list)
	}
	_, err = coll.AttachAll("old", "nope")
	wantError(t, err, nil, `no struct_ops map "nope", there are: new, old, other`)

	links, err := coll.AttachAll("other", "old")
	if err != nil {
		t.Fatal(err)
	}
	wantRunning(t, links[0], coll.Maps["other"])
	wantRunning(t, links[1], coll.Maps["old"])
	for _, lnk := range links {
		if err := lnk.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err = coll.AttachAll()
	wantError(t, err, syscall.EEXIST, `map "old"`) // by name: new, old
}
