package structops

import (
	"errors"
	"fmt"
	"sync"

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

func (r *registration) Detach() error              { return r.Close() }
func (r *registration) Update(*ebpf.Program) error { return fmt.Errorf("update: %w", errNoLink) }
func (r *registration) Pin(string) error           { return fmt.Errorf("pin: %w", errNoLink) }
func (r *registration) Unpin() error               { return fmt.Errorf("unpin: %w", errNoLink) }
func (r *registration) Info() (*link.Info, error)  { return nil, fmt.Errorf("info: %w", errNoLink) }
