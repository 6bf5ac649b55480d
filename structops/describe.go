package structops

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
)

// Description is what the kernel has in a struct_ops map.
type Description struct {
	Attachment
	// Callbacks that a program fills, in the order of the members.
	Callbacks []Callback
	// Values of all other members, in their order, decoded by the kernel's types.
	// All are zero while State is [StateInit].
	Values []Value
}

// Callback is a program in a member of the ops type.
type Callback struct {
	Member  string
	Program ebpf.ProgramID
	// Name of the program, at most 15 bytes of it, and its tag. Empty if
	// the program is gone.
	Name, Tag string
}

// Value is a member of the ops type that is no callback.
type Value struct {
	Member string
	Type   btf.Type
	// Value as [Ops.Get] returns it, nil for types that it can't decode.
	Value any
}

// Describe reads a struct_ops map from the kernel: the program in each slot,
// and each member decoded by kernel BTF. It does not matter who has made the map.
//
// Needs CAP_SYS_ADMIN.
func Describe(m *ebpf.Map) (*Description, error) {
	if m == nil {
		return nil, errors.New("map is nil")
	}
	if m.Type() != ebpf.StructOpsMap {
		return nil, fmt.Errorf("%v is not a struct_ops map", m)
	}
	k, err := btfx.LoadKernel()
	if err != nil {
		return nil, err
	}
	live, err := readLive(m, k)
	if err != nil {
		return nil, err
	}
	links, err := structOpsLinks()
	if err != nil {
		return nil, err
	}
	live.Links = links[live.Map]
	d := &Description{Attachment: live.Attachment}
	return d, d.readMembers(live)
}

// readMembers decodes the ops type in the value.
func (d *Description) readMembers(live *liveMap) error {
	ops := live.kern.ops
	c := codec{order: hostOrder(), buf: live.value[live.kern.dataOffset:][:ops.Size]}
	for _, m := range ops.Members {
		f, err := c.whole(ops).member(m)
		if err != nil {
			return fmt.Errorf("map %q: member %q: %w", d.Name, m.Name, err)
		}
		if !isCallback(m.Type) {
			// A type that can't be decoded leaves a nil.
			v, _ := c.decode(f)
			d.Values = append(d.Values, Value{m.Name, m.Type, v})
			continue
		}
		// The kernel shows the ID of the program.
		id := ebpf.ProgramID(binary.NativeEndian.Uint64(c.bytes(f)))
		if id == 0 {
			continue
		}
		cb, err := callbackOfID(id)
		if err != nil {
			return fmt.Errorf("map %q: member %q: %w", d.Name, m.Name, err)
		}
		cb.Member = m.Name
		d.Callbacks = append(d.Callbacks, cb)
	}
	return nil
}

// callbackOfID looks a program up.
func callbackOfID(id ebpf.ProgramID) (Callback, error) {
	cb := Callback{Program: id}
	prog, err := ebpf.NewProgramFromID(id)
	if errors.Is(err, os.ErrNotExist) {
		return cb, nil
	}
	if err != nil {
		return cb, fmt.Errorf("program %d: %w", id, err)
	}
	defer prog.Close()
	info, err := prog.Info()
	if err != nil {
		return cb, fmt.Errorf("program %d: %w", id, err)
	}
	cb.Name, cb.Tag = info.Name, info.Tag
	return cb, nil
}
