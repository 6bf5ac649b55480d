package structops

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

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
		return newLink(&registration{m: m}), nil
	}
	lnk, err := link.AttachStructOps(link.StructOpsOptions{Map: o.m})
	if err != nil {
		return nil, explainAttach(name, o.OpsType, err)
	}
	return newLink(lnk), nil
}

// AttachAll attaches maps in the given order, or all of them by name if none
// is given. If one of them fails, those before it are detached again, the last
// one first.
//
// The caller closes the links, which are in the same order. Differs from libbpf
// bpf_object__attach_skeleton, which leaves the first ones attached.
func (c *Collection) AttachAll(names ...string) ([]*Link, error) {
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(c.ops))
	}
	links := make([]*Link, 0, len(names))
	for _, name := range names {
		lnk, err := c.Attach(name)
		if err != nil {
			for _, l := range slices.Backward(links) {
				err = errors.Join(err, l.Close())
			}
			return nil, err
		}
		links = append(links, lnk)
	}
	return links, nil
}

// Attach attaches a struct_ops map that [LoadAndAssign] has handed out.
//
// The caller closes the link. Requires Linux 6.4 (68b04864ca42). A map of
// section .struct_ops can't be attached like this, because its value has the
// callbacks that the map does not know: use [Collection.Attach].
func Attach(m *ebpf.Map) (*Link, error) {
	if err := linkMap(m); err != nil {
		return nil, err
	}
	lnk, err := link.AttachStructOps(link.StructOpsOptions{Map: m})
	if err != nil {
		return nil, explainAttach(m.String(), "", err)
	}
	return newLink(lnk), nil
}

// linkMap refuses what can't be attached through a BPF link.
func linkMap(m *ebpf.Map) error {
	switch {
	case m == nil:
		return errors.New("map is nil")
	case m.Type() != ebpf.StructOpsMap:
		return fmt.Errorf("%v is not a struct_ops map", m)
	case m.Flags()&sys.FlagLink == 0:
		return fmt.Errorf("%v is of section .struct_ops, which is registered with its value: "+
			"use Open, Object.Load and Collection.Attach: %w", m, ebpf.ErrNotSupported)
	}
	return nil
}
