//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A screen is a terminal on which a frame is drawn again and again in place.
type screen struct {
	file   *os.File
	colour bool
	width  int // of the last frame
	drawn  int // lines of the last frame
}

// newScreen returns nil if the file is no terminal that can draw in place.
func newScreen(file *os.File) *screen {
	s := &screen{file: file, colour: os.Getenv("NO_COLOR") == ""}
	if width, height := s.size(); width < 72 || height < 24 || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return s
}

// size returns the columns and rows, 0 if the file is no terminal.
func (s *screen) size() (width, height int) {
	size, err := unix.IoctlGetWinsize(int(s.file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return int(size.Col), int(size.Row)
}

// style returns a function that wraps text in an SGR attribute.
func (s *screen) style(sgr string) func(string) string {
	return func(text string) string {
		if !s.colour || text == "" {
			return text
		}
		return "\x1b[" + sgr + "m" + text + "\x1b[0m"
	}
}

// draw replaces the last frame, in one write so that nothing flickers.
func (s *screen) draw(width int, lines []string) {
	var b strings.Builder
	switch {
	case s.drawn == 0:
		b.WriteString("\x1b[?25l")
	case width != s.width:
		// The terminal has wrapped the last frame, who knows how.
		b.WriteString("\x1b[H\x1b[J")
	default:
		fmt.Fprintf(&b, "\r\x1b[%dA", s.drawn)
	}
	for _, line := range lines {
		b.WriteString(line + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	s.width, s.drawn = width, len(lines)
	s.file.WriteString(b.String())
}

// close leaves the last frame where it is and shows the cursor again.
func (s *screen) close() {
	if s.drawn > 0 {
		s.file.WriteString("\x1b[?25h")
	}
}
