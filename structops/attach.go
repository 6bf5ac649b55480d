package structops

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// Link is an attached struct_ops map.
//
// For a map of section .struct_ops.link it is a BPF link: it can be pinned, and
// Close detaches unless it is. For a legacy map (section .struct_ops) the
// kernel has no link: Close and Detach unregister the value, Pin and Info
// return an error that wraps [ebpf.ErrNotSupported], and a process that ends without Close leaves
// the ops registered.
type Link struct {
	link.Link
}

// Attach populates a struct_ops map and registers it with its subsystem.
//
// The caller closes the link. The map and its programs may be closed before.
//
// Link maps need Linux 6.4 (68b04864ca42), legacy maps Linux 5.6 (85d33df357b6).
//
// Mirrors libbpf bpf_map__attach_struct_ops.
func (c *Collection) Attach(name string) (*Link, error) {
	o, err := c.opsMap(name)
	if err != nil {
		return nil, err
	}
	if err := o.populate(); err != nil {
		return nil, err
	}
	if !o.Link {
		m, err := o.m.Clone()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("map %q: %w", name, err), o.m.Delete(uint32(0)))
		}
		return &Link{&registration{m: m}}, nil
	}
	lnk, err := link.AttachStructOps(link.StructOpsOptions{Map: o.m})
	if err != nil {
		return nil, explainAttach(name, o.OpsType, err)
	}
	return &Link{lnk}, nil
}

// Attach attaches a struct_ops map that [LoadAndAssign] has handed out.
//
// The caller closes the link. Requires Linux 6.4 (68b04864ca42). A map of
// section .struct_ops can't be attached like this, because its value has the callbacks that
// the map does not know: use [Collection.Attach].
func Attach(m *ebpf.Map) (*Link, error) {
	if m == nil {
		return nil, errors.New("map is nil")
	}
	if m.Type() != ebpf.StructOpsMap {
		return nil, fmt.Errorf("%v is not a struct_ops map", m)
	}
	if m.Flags()&sys.FlagLink == 0 {
		return nil, fmt.Errorf("%v is of section .struct_ops, which is registered with its value: "+
			"use Open, Object.Load and Collection.Attach: %w", m, ebpf.ErrNotSupported)
	}
	lnk, err := link.AttachStructOps(link.StructOpsOptions{Map: m})
	if err != nil {
		return nil, explainAttach(m.String(), "", err)
	}
	return &Link{lnk}, nil
}
