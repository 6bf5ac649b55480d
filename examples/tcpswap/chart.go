//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
)

// A point is one value over time.
type point struct {
	at    time.Duration
	value float64
}

// A series is values by ascending time.
type series []point

// blocks fill a cell by eighths.
var blocks = []rune(" ▁▂▃▄▅▆▇█")

// draw plots the values as columns, with a line through the column of a moment.
// Lines are width cells wide at most, and there are height + 2.
func (s series) draw(width, height int, mark time.Duration) string {
	const labels = 7 // cells for the numbers of the vertical axis
	columns, top := s.columns(width - labels)
	if len(columns) == 0 {
		return "\tnothing\n"
	}
	end := s[len(s)-1].at
	marked := min(int(mark*time.Duration(len(columns))/max(end, 1)), len(columns)-1)
	var b strings.Builder
	for row := height - 1; row >= 0; row-- {
		label := ""
		if row == height-1 || row == 0 {
			label = fmt.Sprintf("%.0f", top*float64(row+1)/float64(height))
		}
		fmt.Fprintf(&b, "%*s ┤", labels-2, label)
		for x, value := range columns {
			eighths := int(value/top*float64(height*8)+0.5) - row*8
			cell := blocks[min(max(eighths, 0), 8)]
			if x == marked {
				cell = '┃'
			}
			b.WriteRune(cell)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%*s └%s\n", labels-2, "", strings.Repeat("─", marked)+"┸"+strings.Repeat("─", len(columns)-marked-1))
	swap := "swap"
	fmt.Fprintf(&b, "%*s%s%*.1f s\n", labels-len(swap)/2+marked, "", swap, max(len(columns)-marked-len(swap), 4), end.Seconds())
	return b.String()
}

// columns returns the mean value of each column, and the largest of them.
func (s series) columns(n int) (means []float64, top float64) {
	if len(s) == 0 || n < 1 {
		return nil, 0
	}
	end := s[len(s)-1].at + 1
	means, counts := make([]float64, n), make([]float64, n)
	for _, p := range s {
		x := int(p.at * time.Duration(n) / end)
		means[x] += p.value
		counts[x]++
	}
	top = 1
	for x := range means {
		switch {
		case counts[x] > 0:
			means[x] /= counts[x]
		case x > 0:
			means[x] = means[x-1]
		}
		top = max(top, means[x])
	}
	return means, top
}
