package structops

import (
	"testing"

	"github.com/cilium/ebpf/link"
	"github.com/google/go-cmp/cmp"
)

// TestAttached finds maps in every state.
func TestAttached(t *testing.T) {
	coll := loadPair(t)
	legacy := mustLoad(t, openGolden(t, "legacy"), nil)
	lnk := mustAttach(t, coll, "old")
	mustPopulate(t, coll, "new")
	mustAttach(t, legacy, "legacy")

	find := func(c *Collection, name string) (found []Attachment) {
		for _, a := range attachments(t) {
			if a.Map == must(mapID(c.Maps[name])) {
				found = append(found, a)
			}
		}
		return found
	}
	want := func(c *Collection, name string, state State, links ...link.ID) {
		t.Helper()
		want := []Attachment{{
			Map: must(mapID(c.Maps[name])), Name: name, OpsType: "tcp_congestion_ops", State: state, Links: links,
		}}
		got := find(c, name)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("map %q (-want +got):\n%s", name, diff)
		}
		if running := state == StateInUse || len(links) > 0; len(got) == 1 && got[0].Running() != running {
			t.Errorf("map %q: running %t", name, !running)
		}
	}
	id := must(lnk.Info()).ID
	want(coll, "old", StateReady, id)
	want(coll, "new", StateReady)
	want(coll, "other", StateInit)
	want(legacy, "legacy", StateInUse)

	if err := lnk.UpdateMap(coll.Maps["new"]); err != nil {
		t.Fatal(err)
	}
	want(coll, "old", StateReady)
	want(coll, "new", StateReady, id)

	for range Attached() {
		break // must not go on
	}
}

func TestStateString(t *testing.T) {
	for s, want := range map[State]string{StateInit: "init", StateInUse: "inuse", StateToBeFree: "tobefree", StateReady: "ready", 9: "State(9)"} {
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
