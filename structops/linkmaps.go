package structops

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// linkMaps puts the FDs of maps into a program's instructions. A map that is
// not loaded leaves a load that the verifier refuses if it is reached, as an
// optional map may be used behind a check.
func (l *loader) linkMaps(p *program) error {
	for i := range p.spec.Instructions {
		ins := &p.spec.Instructions[i]
		name := ins.Reference()
		if !ins.IsLoadFromMap() || name == "" || int32(ins.Constant) > 0 {
			continue
		}
		m := l.mapNamed(name)
		if m == nil {
			if l.obj.Ops[name] == nil {
				return fmt.Errorf("instruction %d: no map %q: %w", i, name, asm.ErrUnsatisfiedMapReference)
			}
			ins.Src, ins.Dst, ins.Constant = 0, asm.R10, absentMap
			*ins = ins.WithReference("").WithSource(asm.Comment(fmt.Sprintf("map %q is not loaded", name)))
			continue
		}
		if err := ins.AssociateMap(m); err != nil {
			return fmt.Errorf("instruction %d: map %q: %w", i, name, err)
		}
	}
	return nil
}

// absentMap is loaded into r10, which no program may write, in place of the
// address of a map that is not loaded.
const absentMap = 200_100_000

func (l *loader) mapNamed(name string) *ebpf.Map {
	if m := l.ops[name]; m != nil {
		return m
	}
	if m := l.own[name]; m != nil {
		return m
	}
	return l.coll.Maps[name]
}
