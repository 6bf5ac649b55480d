package structops

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// bindConstants ties the maps of constants to every program, so that tools find
// them even if no instruction refers to them. Mirrors the end of libbpf bpf_object_load_prog.
func (l *loader) bindConstants() error {
	for _, name := range slices.Sorted(maps.Keys(l.coll.Maps)) {
		if !isConstant(name) {
			continue
		}
		for _, p := range l.progs {
			err := sys.BindMap(p.loaded.FD(), l.coll.Maps[name].FD())
			if errors.Is(err, syscall.EINVAL) {
				return nil // before Linux 5.10 (ef15314aa5de)
			}
			if err != nil {
				return fmt.Errorf("program %q: bind map %q: %w", p.name, name, err)
			}
		}
	}
	return nil
}

// isConstant tells whether a data section holds constants.
func isConstant(section string) bool { return strings.HasPrefix(section, ".rodata") }
