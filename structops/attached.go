package structops

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"

	"github.com/ebpfx/ebpfx/btfx"
	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// State of a struct_ops map, numbered as enum bpf_struct_ops_state.
type State uint32

const (
	StateInit     State = 0 // has no value yet
	StateInUse    State = 1 // registered with its value, without a link
	StateToBeFree State = 2 // unregistered, somebody still uses it
	StateReady    State = 3 // has a value, for links to run
)

// String returns the state in the kernel's words, in lower case.
func (s State) String() string {
	switch s {
	case StateInit:
		return "init"
	case StateInUse:
		return "inuse"
	case StateToBeFree:
		return "tobefree"
	case StateReady:
		return "ready"
	}
	return fmt.Sprintf("State(%d)", uint32(s))
}

// Attachment is a struct_ops map in the kernel, with the links that run it.
type Attachment struct {
	Map ebpf.MapID
	// Name of the map, at most 15 bytes of it.
	Name string
	// OpsType is the name of the kernel's ops type.
	OpsType string
	// Module that has the ops type, empty for vmlinux.
	Module string
	State  State
	// Links that run the map, by ascending ID. A map of section .struct_ops has
	// none: its State tells that it runs.
	Links []link.ID
}

// Running tells whether the ops are registered with their subsystem.
func (a *Attachment) Running() bool { return a.State == StateInUse || len(a.Links) > 0 }

// Attached iterates over all struct_ops maps in the kernel, by ascending ID,
// whoever has made them: also those of processes that are gone. What comes or
// goes meanwhile may be missing. After an error the iteration ends.
//
// Needs CAP_SYS_ADMIN.
func Attached() iter.Seq2[Attachment, error] {
	return func(yield func(Attachment, error) bool) {
		k, err := btfx.LoadKernel()
		if err != nil {
			yield(Attachment{}, err)
			return
		}
		links, err := structOpsLinks()
		if err != nil {
			yield(Attachment{}, err)
			return
		}
		for id := ebpf.MapID(0); ; {
			id, err = ebpf.MapGetNextID(id)
			if errors.Is(err, os.ErrNotExist) {
				return
			}
			var a Attachment
			var ok bool
			if err == nil {
				a, ok, err = attachment(id, k)
			}
			if err != nil {
				yield(Attachment{}, fmt.Errorf("struct_ops maps: %w", err))
				return
			}
			a.Links = links[id]
			if ok && !yield(a, nil) {
				return
			}
		}
	}
}

// attachment describes a map, if it is there and a struct_ops map.
func attachment(id ebpf.MapID, k *btfx.Kernel) (Attachment, bool, error) {
	m, err := ebpf.NewMapFromID(id)
	if errors.Is(err, os.ErrNotExist) {
		return Attachment{}, false, nil
	}
	if err != nil {
		return Attachment{}, false, fmt.Errorf("map %d: %w", id, err)
	}
	defer m.Close()
	if m.Type() != ebpf.StructOpsMap {
		return Attachment{}, false, nil
	}
	live, err := readLive(m, k)
	if err != nil {
		return Attachment{}, false, err
	}
	return live.Attachment, true, nil
}

// liveMap is a struct_ops map of the kernel with its value and the types for it.
type liveMap struct {
	Attachment
	kern  *opsType
	value []byte
}

// readLive looks up the types of a map and reads its value.
func readLive(m *ebpf.Map, k *btfx.Kernel) (*liveMap, error) {
	info, err := m.Info()
	if err != nil {
		return nil, fmt.Errorf("%v: %w", m, err)
	}
	id, _ := info.ID()
	live := &liveMap{Attachment: Attachment{Map: id, Name: info.Name}, value: make([]byte, m.ValueSize())}
	if live.kern, err = liveType(m, k); err != nil {
		return nil, fmt.Errorf("%v: %w", m, err)
	}
	live.OpsType, live.Module = live.kern.ops.Name, live.kern.valueRef.Module
	if uint64(len(live.value)) != uint64(live.kern.value.Size) {
		return nil, fmt.Errorf("%v: value has %d bytes, struct %s has %d", m, len(live.value), live.kern.value.Name, live.kern.value.Size)
	}
	if err := m.Lookup(uint32(0), &live.value); err != nil {
		return nil, fmt.Errorf("%v: %w", m, err)
	}
	live.State = State(binary.NativeEndian.Uint32(live.value[live.kern.stateOffset:]))
	return live, nil
}

// liveType finds the types of a map that exists, by the ID of its value type.
func liveType(m *ebpf.Map, k *btfx.Kernel) (*opsType, error) {
	typeID, btfID, err := sys.ValueType(m.FD())
	runtime.KeepAlive(m)
	if err != nil {
		return nil, err
	}
	ref := btfx.Ref{ID: btf.TypeID(typeID)}
	if btfID != 0 {
		if ref.Module, err = moduleName(btf.ID(btfID)); err != nil {
			return nil, err
		}
	}
	typ, err := k.Type(ref)
	if err != nil {
		return nil, err
	}
	value, ok := typ.(*btf.Struct)
	if !ok || len(value.Name) <= len(valueTypePrefix) {
		return nil, fmt.Errorf("value type %v is no struct_ops type", typ)
	}
	t := &opsType{value: value, valueRef: ref}
	return t, t.locate(value.Name[len(valueTypePrefix):])
}

// moduleName returns the module that a BTF object of the kernel belongs to,
// empty for vmlinux.
func moduleName(id btf.ID) (string, error) {
	handle, err := btf.NewHandleFromID(id)
	if err != nil {
		return "", fmt.Errorf("BTF %d: %w", id, err)
	}
	defer handle.Close()
	info, err := handle.Info()
	if err != nil {
		return "", fmt.Errorf("BTF %d: %w", id, err)
	}
	if info.IsVmlinux() {
		return "", nil
	}
	return info.Name, nil
}

// structOpsLinks returns the links that run each map, by ascending ID.
func structOpsLinks() (map[ebpf.MapID][]link.ID, error) {
	links := make(map[ebpf.MapID][]link.ID)
	it := new(link.Iterator)
	defer it.Close()
	for it.Next() {
		info, err := it.Link.Info()
		if err != nil || info.Type != link.StructOpsType {
			continue // or it is of a type that upstream can't tell about
		}
		id, err := newLink(it.Link).MapID()
		if errors.Is(err, ErrDetached) {
			continue
		}
		if err != nil {
			return nil, err
		}
		links[id] = append(links[id], info.ID)
	}
	if err := it.Err(); err != nil {
		return nil, fmt.Errorf("struct_ops links: %w", err)
	}
	return links, nil
}
