//go:build linux

package main

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// halfway is a transfer of 8 MiB after two seconds, at 2 MiB/s.
func halfway() *progress {
	p := &progress{
		size: 8 << 20, backoffs: 2, cwndMin: 10, cwndMax: 160,
		callbacks: []callback{{"init", 1}, {"cong_avoid", 1234}, {"pkts_acked", 1235}, {"cwnd_event", 1230}, {"set_state", 0}, {"release", 0}},
	}
	for _, w := range sawtooth(2) {
		p.samples = append(p.samples, sample{w.at, uint32(w.value), 2 << 20 * int64(w.at) / int64(time.Second)})
	}
	return p
}

func noStyle(string) func(string) string { return plain }

func TestFrame(t *testing.T) {
	want := strings.Split(`
 tcpcc ━━━━━━━━━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 4.0 of 8.0 MiB   2.0 s

 congestion window, packets   now 80   min 10   max 160   backed off 2×
  160 ┤           ⢀⣠⠤⢶⡀           ⣀⣠⠤⢶⡀
      │      ⣀⡤⠴⠒⠋⠉   ⢧     ⢀⣀⡤⠴⠒⠋⠁   ⣇
      │⢀⣠⠤⠖⠚⠉⠁        ⠘⣆⣠⠤⠖⠚⠉         ⠸
   80 ┤⠉
      │
      │
    0 ┼┬──────────────┬───────────────┬───────────────┬───────────────┬
       0 s            1 s             2 s             3 s           4 s

 throughput, MiB/s                                   now 2.0   mean 2.0
  2.4 ┤▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅
  1.2 ┤████████████████████████████████
    0 ┼┬──────────────┬───────────────┬───────────────┬───────────────┬
       0 s            1 s             2 s             3 s           4 s

 callbacks   init 1  cong_avoid 1234  pkts_acked 1235  cwnd_event 1230
             set_state 0  release 0`, "\n")[1:]
	got := halfway().frame(72, 24, noStyle)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("frame (-want +got):\n%s\n%s", diff, strings.Join(got, "\n"))
	}
}

func TestFrameFits(t *testing.T) {
	for width := 60; width <= 200; width += 7 {
		for height := 24; height <= 80; height += 7 {
			lines := halfway().frame(width, height, noStyle)
			if len(lines) >= height {
				t.Errorf("%dx%d: %d lines", width, height, len(lines))
			}
			for _, line := range lines {
				if got := utf8.RuneCountInString(line); got >= width {
					t.Errorf("%dx%d: line of %d cells: %q", width, height, got, line)
				}
			}
		}
	}
}

func TestFrameOfNothing(t *testing.T) {
	p := &progress{size: 1, samples: []sample{{0, 10, 0}}}
	if lines := p.frame(80, 24, noStyle); len(lines) == 0 {
		t.Error("no lines")
	}
}

func TestThroughput(t *testing.T) {
	for i, p := range halfway().throughput() {
		if want := time.Duration(i+1) * 100 * time.Millisecond; p.at != want || math.Abs(p.value-2) > 1e-4 {
			t.Errorf("point %d: got %v at %v, want 2 at %v", i, p.value, p.at, want)
		}
	}
}

func TestProgressString(t *testing.T) {
	if got, want := halfway().String(), " 2.0 s     4.0 MiB  cwnd  80    2.0 MiB/s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
