package structops

import (
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// registration is the link of a legacy map, which the kernel knows as the
// registered value of the map only.
//
// Mirrors libbpf's pseudo link, bpf_link__detach_struct_ops.
type registration struct {
	// Embedded because link.Link can't be implemented outside its package; all
	// its methods are here.
	link.Link

	mu sync.Mutex
	m  *ebpf.Map // nil after Close
}

var errNoLink = fmt.Errorf("a map of section .struct_ops has no BPF link (use .struct_ops.link): %w", ebpf.ErrNotSupported)

// Close unregisters the ops.
func (r *registration) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.m == nil {
		return nil
	}
	err := r.m.Delete(uint32(0))
	err = errors.Join(err, r.m.Close())
	r.m = nil
	return err
}

// mapID returns the ID of the map, with which [Unregister] can find it again.
func (r *registration) mapID() (ebpf.MapID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.m == nil {
		return 0, ErrDetached
	}
	return mapID(r.m)
}

// mapID returns the kernel's number of a map.
func mapID(m *ebpf.Map) (ebpf.MapID, error) {
	info, err := m.Info()
	if err != nil {
		return 0, fmt.Errorf("%v: %w", m, err)
	}
	id, ok := info.ID()
	if !ok {
		return 0, fmt.Errorf("%v: the kernel tells no map ID: %w", m, ebpf.ErrNotSupported)
	}
	return id, nil
}

// Register populates a legacy map (section .struct_ops), which registers it
// until [Unregister] is called with the ID that is returned: the ops outlive the
// collection and the process. [Collection.Attach] does the same and returns a
// [Link] that unregisters when it is closed.
//
// Mirrors the first half of libbpf bpf_map__attach_struct_ops.
func (c *Collection) Register(name string) (ebpf.MapID, error) {
	o, err := c.opsMap(name)
	if err != nil {
		return 0, err
	}
	if o.Link {
		return 0, fmt.Errorf("map %q is of section .struct_ops.link, which is attached: use Attach, and pin the link to keep it: %w", name, ebpf.ErrNotSupported)
	}
	id, err := mapID(o.m)
	if err != nil {
		return 0, err
	}
	if err := o.populate(); err != nil {
		return 0, err
	}
	return id, nil
}

// Unregister ends the ops of a legacy map by the ID of the map, whoever has
// registered it: after a crash [Attached] finds the ID.
//
// Returns an error that wraps [os.ErrNotExist] if there is no such map or if it
// is not registered, and one that wraps [ebpf.ErrNotSupported] if the map is
// attached through a link. Needs CAP_SYS_ADMIN.
//
// Mirrors libbpf bpf_link__detach_struct_ops.
func Unregister(id ebpf.MapID) error {
	m, err := ebpf.NewMapFromID(id)
	if err != nil {
		return fmt.Errorf("map %d: %w", id, err)
	}
	defer m.Close()
	if m.Type() != ebpf.StructOpsMap {
		return fmt.Errorf("%v is not a struct_ops map", m)
	}
	err = m.Delete(uint32(0))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOTSUP):
		err = fmt.Errorf("%w: %w", ebpf.ErrNotSupported, err)
	}
	return explained(fmt.Sprintf("unregister %v", m), because(err, "", "", unregisterReasons), err)
}

// unregisterReasons are those of bpf_struct_ops_map_delete_elem.
var unregisterReasons = []reason{
	{errno: syscall.ENOTSUP, text: "the map is attached through a BPF link: detach that, or remove its pin"},
	{errno: syscall.EINPROGRESS, text: "it is unregistered already, and somebody still uses it"},
	{errno: syscall.ENOENT, text: "it is not registered"},
}

func (r *registration) Detach() error              { return r.Close() }
func (r *registration) Update(*ebpf.Program) error { return fmt.Errorf("update: %w", errNoLink) }
func (r *registration) Pin(string) error           { return fmt.Errorf("pin: %w", errNoLink) }
func (r *registration) Unpin() error               { return fmt.Errorf("unpin: %w", errNoLink) }
func (r *registration) Info() (*link.Info, error)  { return nil, fmt.Errorf("info: %w", errNoLink) }
