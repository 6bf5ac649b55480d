//go:build linux

package main

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// labelWidth is the space for the numbers of the vertical axis, in cells.
const labelWidth = 6

// A point is one value of a chart.
type point struct {
	at    time.Duration
	value float64
}

// A chart draws values over time with characters.
type chart struct {
	title  string // left in the first line
	values string // right in the first line
	// width of all lines and height of the plot, in cells. The lines are height + 3.
	width, height int
	points        []point // by ascending time
	end           time.Duration
	plot          func(c chart, width int) []string
	paint, dim    func(string) string
}

// lines draws the chart: a title, the plot with its vertical axis, and the
// horizontal axis. No line is wider than the chart.
func (c chart) lines() []string {
	width := c.width - labelWidth - 1
	out := []string{c.headline()}

	top := c.top()
	for row, cells := range c.plot(c, width) {
		label, axis := "", "│"
		if row == 0 || row*2 == c.height {
			label, axis = number(top*float64(c.height-row)/float64(c.height)), "┤"
		}
		out = append(out, c.dim(fmt.Sprintf("%*s %s", labelWidth-1, label, axis))+c.paint(cells))
	}
	return append(out, c.timeAxis(width)...)
}

// headline is the title on the left and the values on the right, as far as
// there is space for them.
func (c chart) headline() string {
	gap := c.width - utf8.RuneCountInString(c.title) - utf8.RuneCountInString(c.values)
	if c.values == "" || gap < 1 {
		return c.paint(c.title)
	}
	return c.paint(c.title) + strings.Repeat(" ", gap) + c.values
}

// timeAxis draws the horizontal axis and its labels, in seconds.
func (c chart) timeAxis(width int) []string {
	axis := []rune(strings.Repeat("─", width))
	labels := []rune(strings.Repeat(" ", labelWidth+1+width))
	span, step := timeScale(c.end)
	for t := time.Duration(0); t <= span; t += step {
		x := int(t * time.Duration(width-1) / span)
		axis[x] = '┬'
		text := []rune(strconv.Itoa(int(t/time.Second)) + " s")
		copy(labels[min(labelWidth+1+x, len(labels)-len(text)):], text)
	}
	return []string{
		c.dim(fmt.Sprintf("%*s ┼%s", labelWidth-1, "0", string(axis))),
		c.dim(strings.TrimRight(string(labels), " ")),
	}
}

// top returns the value at the upper end of the vertical axis: a round number
// with some air above the largest value.
func (c chart) top() float64 {
	largest := 1.0
	for _, p := range c.points {
		largest = max(largest, p.value*1.05)
	}
	unit := math.Pow(10, math.Floor(math.Log10(largest)))
	for _, factor := range []float64{1, 1.6, 2, 2.4, 3, 4, 5, 6, 8} {
		if factor*unit >= largest {
			return factor * unit
		}
	}
	return 10 * unit
}

// at returns the value at a moment, interpolated. It reports false after the
// last point.
func (c chart) at(t time.Duration) (float64, bool) {
	i := sort.Search(len(c.points), func(i int) bool { return c.points[i].at >= t })
	switch {
	case i == len(c.points):
		return 0, false
	case i == 0:
		return c.points[0].value, true
	}
	a, b := c.points[i-1], c.points[i]
	return a.value + (b.value-a.value)*float64(t-a.at)/float64(b.at-a.at), true
}

// dots has the bits of a Braille cell, by row and column.
var dots = [4][2]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

// line plots a thin line in Braille, with 2 by 4 dots to a cell.
func line(c chart, width int) []string {
	cells := grid(width, c.height)
	span, _ := timeScale(c.end)
	top, rows, previous := c.top(), 4*c.height, -1
	for x := range 2 * width {
		value, ok := c.at(span * time.Duration(x) / time.Duration(2*width-1))
		if !ok {
			break
		}
		y := min(rows-1, int(math.Round((1-value/top)*float64(rows-1))))
		from, to := y, y
		if previous >= 0 {
			from, to = min(y, previous), max(y, previous)
		}
		for dot := from; dot <= to; dot++ {
			cell := &cells[dot/4][x/2]
			if *cell == ' ' {
				*cell = '\u2800'
			}
			*cell |= dots[dot%4][x%2]
		}
		previous = y
	}
	return text(cells)
}

// area plots a filled area in blocks, with 8 steps to a cell.
func area(c chart, width int) []string {
	cells := grid(width, c.height)
	span, _ := timeScale(c.end)
	top := c.top()
	for x := range width {
		value, ok := c.at(span * time.Duration(x) / time.Duration(width-1))
		if !ok {
			break
		}
		steps := int(math.Round(value / top * float64(8*c.height)))
		for row := c.height - 1; row >= 0 && steps > 0; row-- {
			cells[row][x] = '▁' + rune(min(steps, 8)) - 1
			steps -= 8
		}
	}
	return text(cells)
}

func grid(width, height int) [][]rune {
	cells := make([][]rune, height)
	for row := range cells {
		cells[row] = []rune(strings.Repeat(" ", width))
	}
	return cells
}

func text(cells [][]rune) []string {
	var out []string
	for _, row := range cells {
		out = append(out, strings.TrimRight(string(row), " "))
	}
	return out
}

// timeScale returns how much time a chart spans that has to reach end, and the
// distance of the labels.
func timeScale(end time.Duration) (span, step time.Duration) {
	for _, s := range []struct{ span, step time.Duration }{{4, 1}, {6, 1}, {8, 1}, {10, 2}, {16, 2}, {20, 5}, {30, 5}, {40, 5}, {60, 10}} {
		if s.span*time.Second >= end {
			return s.span * time.Second, s.step * time.Second
		}
	}
	minutes := (end + time.Minute - 1) / time.Minute
	return minutes * time.Minute, (minutes + 5) / 6 * time.Minute
}

func number(v float64) string {
	return strconv.FormatFloat(v, 'f', -1, 64)
}
