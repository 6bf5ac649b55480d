//go:build linux

package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func plain(text string) string { return text }

// sawtooth has a point every 100 ms: from 80 to 160 in a second, again and again.
func sawtooth(seconds int) []point {
	var points []point
	for i := range 10*seconds + 1 {
		points = append(points, point{time.Duration(i) * 100 * time.Millisecond, 80 + 8*float64(i%10)})
	}
	return points
}

func TestChart(t *testing.T) {
	tests := []struct {
		name  string
		chart chart
		want  string
	}{
		{
			name: "line",
			chart: chart{
				title: " window", values: "now 80", width: 48, height: 6,
				points: sawtooth(3), end: 3 * time.Second, plot: line,
			},
			want: `
 window                                   now 80
  160 ┤       ⢀⡤⢶       ⢀⣠⢶       ⢀⣠⢤⡀
      │    ⣠⠴⠚⠉ ⠘⡆   ⣀⡴⠚⠉ ⠈⡇   ⣀⡤⠞⠉  ⡇
      │⢀⡤⠖⠋⠁     ⢧⣠⠖⠋⠁     ⢳⣠⠴⠋⠁     ⠁
   80 ┤⠉
      │
      │
    0 ┼┬─────────┬─────────┬─────────┬─────────┬
       0 s       1 s       2 s       3 s     4 s`,
		},
		{
			name: "area",
			chart: chart{
				title: " rate", width: 48, height: 4,
				points: sawtooth(3), end: 3 * time.Second, plot: area,
			},
			want: `
 rate
  160 ┤      ▂▃▅▆      ▂▃▅▆      ▂▃▅▆
      │ ▂▃▅▆█████ ▂▃▅▆█████ ▂▃▅▆█████
   80 ┤███████████████████████████████
      │███████████████████████████████
    0 ┼┬─────────┬─────────┬─────────┬─────────┬
       0 s       1 s       2 s       3 s     4 s`,
		},
		{
			name:  "empty",
			chart: chart{title: " rate", values: "none", width: 40, height: 2, plot: area},
			want: `
 rate                               none
    1 ┤
  0.5 ┤
    0 ┼┬───────┬───────┬───────┬───────┬
       0 s     1 s     2 s     3 s   4 s`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.chart.paint, tt.chart.dim = plain, plain
			lines := tt.chart.lines()
			if diff := cmp.Diff(strings.Split(tt.want, "\n")[1:], lines); diff != "" {
				t.Errorf("chart (-want +got):\n%s\n%s", diff, strings.Join(lines, "\n"))
			}
		})
	}
}

func TestChartFits(t *testing.T) {
	for width := 40; width <= 140; width++ {
		for _, plot := range []func(chart, int) []string{line, area} {
			c := chart{
				title: " window", values: "now 80", width: width, height: 4,
				points: sawtooth(45), end: 45 * time.Second, plot: plot, paint: plain, dim: plain,
			}
			for _, line := range c.lines() {
				if got := utf8.RuneCountInString(line); got > width {
					t.Errorf("width %d: line of %d cells: %q", width, got, line)
				}
			}
		}
	}
}

func TestChartTop(t *testing.T) {
	for largest, want := range map[float64]float64{0: 1, 1: 1.6, 10: 16, 21: 24, 100: 160, 160: 200, 400: 500, 900: 1000, 1e6: 1.6e6} {
		c := chart{points: []point{{0, 0}, {1, largest}}}
		if got := c.top(); got != want {
			t.Errorf("top for %v: got %v, want %v", largest, got, want)
		}
	}
}

func TestTimeScale(t *testing.T) {
	for end, want := range map[time.Duration]string{
		0:                       "4s 1s",
		4 * time.Second:         "4s 1s",
		4*time.Second + 1:       "6s 1s",
		time.Minute:             "1m0s 10s",
		61 * time.Second:        "2m0s 1m0s",
		100 * time.Minute:       "1h40m0s 17m0s",
		3*time.Hour + time.Hour: "4h0m0s 40m0s",
	} {
		span, step := timeScale(end)
		if got := span.String() + " " + step.String(); got != want {
			t.Errorf("%v: got %q, want %q", end, got, want)
		}
	}
}
