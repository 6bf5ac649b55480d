//go:build linux

package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDraw(t *testing.T) {
	var s series
	for i := range 20 {
		value := 4.0
		if i >= 10 {
			value = 8
		}
		s = append(s, point{time.Duration(i) * 100 * time.Millisecond, value})
	}
	want := "    8 ┤          ┃█████████\n" +
		"    4 ┤██████████┃█████████\n" +
		"      └──────────┸─────────\n" +
		"               swap   1.9 s\n"
	if diff := cmp.Diff(want, s.draw(27, 2, time.Second)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := (series)(nil).draw(20, 2, 0); got != "\tnothing\n" {
		t.Errorf("of nothing: %q", got)
	}
	series{{0, 0}}.draw(8, 1, 0)
}
