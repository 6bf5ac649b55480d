package structops

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
)

func TestDescribe(t *testing.T) {
	coll := loadPair(t)
	lnk := mustAttach(t, coll, "old")
	d, err := Describe(coll.Maps["old"])
	if err != nil {
		t.Fatal(err)
	}
	if d.OpsType != "tcp_congestion_ops" || d.Name != "old" || d.State != StateReady || len(d.Links) != 1 || d.Links[0] != must(lnk.Info()).ID {
		t.Errorf("got %+v", d.Attachment)
	}
	got := make(map[string]Callback)
	for _, cb := range d.Callbacks {
		got[cb.Member] = cb
	}
	want := make(map[string]Callback)
	for member, name := range map[string]string{"ssthresh": "ssthresh", "undo_cwnd": "undo_cwnd", "cong_avoid": "cong_avoid_old"} {
		info := must(coll.Programs[name].Info())
		id, _ := info.ID()
		want[member] = Callback{member, id, info.Name, info.Tag}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("callbacks (-want +got):\n%s", diff)
	}
	values := make(map[string]any)
	for _, v := range d.Values {
		values[v.Member] = v.Value
	}
	if values["name"] != "ebpfx_replace" || values["flags"] != uint32(0) {
		t.Errorf("values %v", values)
	}

	d, err = Describe(coll.Maps["other"])
	if err != nil || d.State != StateInit || len(d.Callbacks) != 0 {
		t.Errorf("before it is populated: %+v, %v", d, err)
	}
	for _, m := range []*ebpf.Map{nil, coll.Maps[".bss"]} {
		_, err := Describe(m)
		wantError(t, err, nil, "map")
	}
}
