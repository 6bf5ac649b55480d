package structops

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
)

// fillProgArrays writes the programs into the PROG_ARRAYs that the object
// declares with contents.
func (l *loader) fillProgArrays() error {
	progs := make(map[string]*ebpf.Program)
	for _, p := range l.progs {
		progs[p.name] = p.loaded
	}
	for _, name := range slices.Sorted(maps.Keys(l.obj.Spec.Maps)) {
		m := l.obj.Spec.Maps[name]
		if m.Type != ebpf.ProgramArray {
			continue
		}
		for _, kv := range m.Contents {
			value := kv.Value
			if target, ok := value.(string); ok {
				if progs[target] == nil {
					return fmt.Errorf("map %q: key %v: program %q is not loaded", name, kv.Key, target)
				}
				value = progs[target]
			}
			if err := l.coll.Maps[name].Put(kv.Key, value); err != nil {
				return fmt.Errorf("map %q: key %v: %w", name, kv.Key, err)
			}
		}
	}
	return nil
}
