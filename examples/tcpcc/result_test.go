//go:build linux

package main

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSummary(t *testing.T) {
	got := halfway().summary()
	if want := "tcpcc: 4194304 bytes, 1234 cong_avoid calls, cwnd max 160"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWriteJSON(t *testing.T) {
	var out bytes.Buffer
	if err := halfway().writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	want := `{"bytes":4194304,"seconds":2,"bytes_per_second":2097152,"cwnd_min":10,"cwnd_max":160,"backoffs":2,` +
		`"callbacks":{"cong_avoid":1234,"cwnd_event":1230,"init":1,"pkts_acked":1235,"release":0,"set_state":0}}` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}
