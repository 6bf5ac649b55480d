//go:build linux

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// rateWindow is the time over which a throughput is measured.
const rateWindow = 100 * time.Millisecond

// A callback is a member of the ops type and how often the kernel called it.
type callback struct {
	name  string
	calls uint64
}

// progress is what is known about a running transfer.
type progress struct {
	size      int64
	samples   []sample
	callbacks []callback
	backoffs  uint64
	cwndMin   uint32
	cwndMax   uint32
}

// last returns the newest sample.
func (p *progress) last() sample {
	if len(p.samples) == 0 {
		return sample{}
	}
	return p.samples[len(p.samples)-1]
}

// cwnd returns the window over time, in packets.
func (p *progress) cwnd() []point {
	var points []point
	for _, s := range p.samples {
		points = append(points, point{s.at, float64(s.cwnd)})
	}
	return points
}

// throughput returns the rate over time, in MiB/s.
func (p *progress) throughput() []point {
	var points []point
	var from int
	for _, s := range p.samples {
		for p.samples[from].at+rateWindow < s.at {
			from++
		}
		if since := p.samples[from]; since.at < s.at {
			points = append(points, point{s.at, mebibytes(s.bytes-since.bytes) / (s.at - since.at).Seconds()})
		}
	}
	return points
}

// frame draws everything for a screen of this size.
func (p *progress) frame(width, height int, style func(sgr string) func(string) string) []string {
	width = min(width-1, 140)
	plots := min(height-15, 22)
	now, dim, bold := p.last(), style("2"), style("1")

	window := chart{
		title:  " congestion window, packets",
		values: fmt.Sprintf("now %d   min %d   max %d   backed off %d×", now.cwnd, p.cwndMin, p.cwndMax, p.backoffs),
		width:  width, height: plots * 2 / 3 &^ 1,
		points: p.cwnd(), end: now.at,
		plot: line, paint: style("36"), dim: dim,
	}
	rate := chart{
		title: " throughput, MiB/s",
		width: width, height: plots / 3 &^ 1,
		points: p.throughput(), end: now.at,
		plot: area, paint: style("32"), dim: dim,
	}
	if n := len(rate.points); n > 0 {
		rate.values = fmt.Sprintf("now %.1f   mean %.1f", rate.points[n-1].value, mebibytes(now.bytes)/now.at.Seconds())
	}

	out := []string{p.bar(width, bold), ""}
	out = append(out, window.lines()...)
	out = append(out, "")
	out = append(out, rate.lines()...)
	out = append(out, "")
	return append(out, p.counts(width, dim, bold)...)
}

// bar draws how much of the transfer is done.
func (p *progress) bar(width int, bold func(string) string) string {
	now := p.last()
	left := " tcpcc "
	right := fmt.Sprintf(" %.1f of %.1f MiB  %4.1f s", mebibytes(now.bytes), mebibytes(p.size), now.at.Seconds())
	cells := max(width-utf8.RuneCountInString(left+right), 1)
	done := int(int64(cells) * now.bytes / max(p.size, 1))
	return bold(left) + strings.Repeat("━", done) + strings.Repeat("╌", cells-done) + right
}

// counts lists the callbacks in as many lines as it takes.
func (p *progress) counts(width int, dim, bold func(string) string) []string {
	var out []string
	const indent = " callbacks "
	row, used := dim(indent), len(indent)
	for _, c := range p.callbacks {
		n := strconv.FormatUint(c.calls, 10)
		if used+len(c.name)+len(n)+3 > width {
			out = append(out, row)
			row, used = strings.Repeat(" ", len(indent)), len(indent)
		}
		row += "  " + c.name + " " + bold(n)
		used += len(c.name) + len(n) + 3
	}
	return append(out, row)
}

// String is the progress in one line, for output that is no terminal.
func (p *progress) String() string {
	now := p.last()
	line := fmt.Sprintf("%4.1f s  %6.1f MiB  cwnd %3d", now.at.Seconds(), mebibytes(now.bytes), now.cwnd)
	if rate := p.throughput(); len(rate) > 0 {
		line += fmt.Sprintf("  %5.1f MiB/s", rate[len(rate)-1].value)
	}
	return line
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
