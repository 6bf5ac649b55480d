//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

const (
	frameInterval = 60 * time.Millisecond  // between two frames on a terminal
	lineInterval  = 500 * time.Millisecond // between two lines elsewhere
)

// watcher returns the function that shows progress: in place on a terminal,
// as a line now and then elsewhere, not at all with JSON.
func watcher(asJSON bool) func(*progress) {
	if asJSON {
		return func(*progress) {}
	}
	if s := newScreen(os.Stdout); s != nil {
		return frames(s)
	}
	return printed(os.Stdout)
}

// frames draws progress in place, and once more at the end.
func frames(s *screen) func(*progress) {
	var latest *progress
	var shown time.Duration
	draw := func() {
		shown = latest.last().at
		width, height := s.size()
		s.draw(width, latest.frame(width, height, s.style))
	}
	return func(p *progress) {
		switch {
		case p != nil:
			latest = p
			if p.last().at-shown >= frameInterval {
				draw()
			}
		case latest != nil:
			draw()
			s.close()
		}
	}
}

// printed prints progress as a line now and then.
func printed(w io.Writer) func(*progress) {
	var shown time.Duration
	return func(p *progress) {
		if p != nil && p.last().at-shown >= lineInterval {
			shown = p.last().at
			fmt.Fprintln(w, p)
		}
	}
}
