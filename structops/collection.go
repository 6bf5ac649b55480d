package structops

import (
	"encoding/binary"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/ebpfx/ebpfx/kfunc"
)

// Collection is a loaded object. Programs, Maps (struct_ops maps among them)
// and Variables are those of the embedded collection.
type Collection struct {
	*ebpf.Collection

	// Plan says how the struct_ops maps were laid out and wired.
	Plan *Plan

	// Dropped are the callbacks that the kernel's ops types lack and that
	// [Options.Missing] has left out.
	Dropped []Dropped

	// Externs say what the object's externs mean on this kernel.
	Externs *kfunc.Resolution

	// BTFRefusal is why the kernel refused the object's BTF, nil if it has it. An
	// object without struct_ops maps is loaded without its BTF then: maps and
	// programs have no types, and the verifier knows no global functions.
	BTFRefusal error

	ops    map[string]*opsMap
	arenas map[string]*Arena
}

// Close closes maps and programs and unmaps arenas. It does not detach what is
// attached.
func (c *Collection) Close() {
	c.Collection.Close()
	for _, a := range c.arenas {
		a.unmap()
	}
}

// opsMap is a struct_ops map in the kernel.
type opsMap struct {
	MapPlan
	m         *ebpf.Map
	progs     []*ebpf.Program // by index into Slots
	populated bool
}

// States of a struct_ops map, enum bpf_struct_ops_state.
const (
	stateInUse = 1 // registered without a link
	stateReady = 3 // populated, waiting for a link
)

// populate writes the value with the FDs of the callbacks into the map, once.
// For a legacy map this registers it.
//
// Some kernels accept a value and leave the map as it was, so the state is read
// back.
//
// Mirrors the first half of libbpf bpf_map__attach_struct_ops, which does not
// look at the state.
func (o *opsMap) populate() error {
	if o.populated && o.Link {
		return nil // the kernel would answer EBUSY
	}
	value, err := o.value()
	if err != nil {
		return fmt.Errorf("map %q: %w", o.Name, err)
	}
	err = o.m.Put(uint32(0), value)
	runtime.KeepAlive(o.progs)
	if err != nil {
		return explainPopulate(&o.MapPlan, err)
	}
	o.populated = true
	return o.checkState()
}

// Populate gives a link map its value, and returns the map, ready for
// [Link.UpdateMap] and [Link.Replace]. Attach does it as well. The collection
// keeps the map and closes it.
//
// A legacy map is registered with its value, so it is refused: use
// [Collection.Register].
func (c *Collection) Populate(name string) (*ebpf.Map, error) {
	o, err := c.opsMap(name)
	if err != nil {
		return nil, err
	}
	if !o.Link {
		return nil, fmt.Errorf("map %q is of section .struct_ops, which is registered with its value: use Register: %w", name, ebpf.ErrNotSupported)
	}
	if err := o.populate(); err != nil {
		return nil, err
	}
	return o.m, nil
}

// value returns the kernel value, with the FD of its program in each slot.
func (o *opsMap) value() ([]byte, error) {
	value := slices.Clone(o.Value)
	for i, s := range o.Slots {
		fd := -1
		if prog := o.progs[i]; prog != nil {
			fd = prog.FD()
		}
		if fd < 0 {
			return nil, fmt.Errorf("member %q: program %q is closed", s.Member, s.Program)
		}
		binary.NativeEndian.PutUint64(value[s.Offset:], uint64(fd))
	}
	return value, nil
}

// checkState reads the map back.
func (o *opsMap) checkState() error {
	value := make([]byte, o.ValueSize)
	if err := o.m.Lookup(uint32(0), &value); err != nil {
		return fmt.Errorf("map %q: read back: %w", o.Name, err)
	}
	want := uint32(stateInUse)
	if o.Link {
		want = stateReady
	}
	if state := binary.NativeEndian.Uint32(value[o.StateOffset:]); state != want {
		return fmt.Errorf("map %q: the kernel accepted the value without taking it: state %d, want %d; "+
			"look for a member that %s does not take from BPF", o.Name, state, want, o.OpsType)
	}
	return nil
}

// opsMap finds a struct_ops map, or says which there are.
func (c *Collection) opsMap(name string) (*opsMap, error) {
	if o := c.ops[name]; o != nil {
		return o, nil
	}
	names := slices.Sorted(maps.Keys(c.ops))
	if len(names) == 0 {
		return nil, fmt.Errorf("no struct_ops map %q: none was loaded", name)
	}
	return nil, fmt.Errorf("no struct_ops map %q, there are: %s", name, strings.Join(names, ", "))
}
