package structops

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/cilium/ebpf"

	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// Sizes of the verifier's log in bytes, as upstream has them.
const (
	minLogSize = 64 * 1024
	maxLogSize = math.MaxUint32 >> 2
)

// perVerifier is how many instructions are verified before another thread has
// started.
const perVerifier = 200

// loadPrograms has all programs verified, several at the same time. The failure
// that is reported is that of the first failing program by name, whatever the
// order in which they end.
func (l *loader) loadPrograms() error {
	for _, p := range l.progs {
		if err := p.prepare(l); err != nil {
			return fmt.Errorf("program %q: %w", p.name, err)
		}
	}
	// The biggest first, so that none of them is left over for the end.
	order, total := make([]int, len(l.progs)), 0
	for i, p := range l.progs {
		order[i] = i
		total += len(p.spec.Instructions)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return len(l.progs[b].spec.Instructions) - len(l.progs[a].spec.Instructions)
	})

	var mu sync.Mutex
	errs := make([]error, len(l.progs))
	failed := len(l.progs) // the first by name
	next := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		for len(order) > 0 {
			i := order[0]
			order = order[1:]
			if i < failed {
				return i, true
			}
		}
		return 0, false
	}
	work := func() {
		for i, ok := next(); ok; i, ok = next() {
			if err := l.progs[i].verify(l); err != nil {
				mu.Lock()
				errs[i], failed = err, min(failed, i)
				mu.Unlock()
			}
		}
	}
	var wg sync.WaitGroup
	for range min(l.opts.Verifiers, len(l.progs), 1+total/perVerifier) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	if failed < len(errs) {
		return errs[failed]
	}
	return nil
}

// verify loads the program, first without a log unless one was asked for, and
// with a growing one when it fails. Mirrors cilium/ebpf newProgramWithOptions.
func (p *program) verify(l *loader) error {
	var err error
	if p.attr.Insns, err = p.encode(); err != nil {
		return fmt.Errorf("program %q: %w", p.name, err)
	}
	defer func() { p.attr.Insns = nil }()
	opts := &l.opts.Programs
	if opts.LogLevel != 0 && !opts.LogDisabled {
		p.attr.LogLevel = uint32(opts.LogLevel)
		p.attr.Log = make([]byte, between(opts.LogSizeStart))
	}
	for {
		fd, err := sys.LoadProg(p.attr)
		if err == nil {
			prog, err := ebpf.NewProgramFromFD(fd)
			if err != nil {
				return fmt.Errorf("program %q: %w", p.name, err)
			}
			prog.VerifierLog = cstring(p.attr.Log)
			p.loaded = prog
			return nil
		}
		if opts.LogDisabled || !p.growLog(err, opts.LogSizeStart) {
			return l.explainProgram(p, err)
		}
	}
}

// growLog prepares another try if a log, or a larger one, can tell more.
func (p *program) growLog(err error, start uint32) bool {
	size := uint32(len(p.attr.Log))
	switch {
	case size == maxLogSize:
		return false
	case errors.Is(err, syscall.ENOSPC) && p.attr.LogTrueSize != 0:
		size = min(p.attr.LogTrueSize, maxLogSize)
	case errors.Is(err, syscall.ENOSPC):
		size = min(between(size), maxLogSize/2) * 2
	case p.attr.LogLevel == 0:
		p.attr.LogLevel = uint32(ebpf.LogLevelBranch)
		size = between(start)
	default:
		return false
	}
	p.attr.Log = make([]byte, size)
	return true
}

func between(size uint32) uint32 { return min(max(size, minLogSize), maxLogSize) }

// cstring returns the text in front of the first zero byte.
func cstring(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}

// logLines splits a verifier log as upstream does.
func logLines(log []byte) []string {
	text := strings.Trim(cstring(log), "\t\r\v\n ")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], "\t\r\v\n ")
	}
	return lines
}
