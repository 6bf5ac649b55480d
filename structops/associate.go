package structops

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"

	"github.com/cilium/ebpf"

	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// Associate ties every loaded program that is not a struct_ops program to a
// struct_ops map, so that kfuncs which such a program calls know which ops it
// belongs to. Schedulers with several instances need it.
//
// Returns an error that wraps [ebpf.ErrNotSupported] if the kernel has no
// associations (BPF_PROG_ASSOC_STRUCT_OPS), which then are not needed either.
//
// Mirrors libbpf bpf_program__assoc_struct_ops, called for every program.
func (c *Collection) Associate(name string) error {
	o, err := c.opsMap(name)
	if err != nil {
		return err
	}
	// The kernel looks at the FDs after it has recognised the command.
	if err := sys.AssocStructOps(-1, -1); !errors.Is(err, syscall.EBADF) {
		return fmt.Errorf("map %q: associate programs: %w", name, ebpf.ErrNotSupported)
	}
	for _, prog := range slices.Sorted(maps.Keys(c.Programs)) {
		p := c.Programs[prog]
		if p.Type() == ebpf.StructOps {
			continue
		}
		if err := sys.AssocStructOps(o.m.FD(), p.FD()); err != nil {
			return explained(fmt.Sprintf("program %q: associate with map %q", prog, name), because(err, o.OpsType, "", associateReasons), err)
		}
	}
	return nil
}

// associateReasons are those of bpf_prog_assoc_struct_ops.
var associateReasons = []reason{
	{errno: syscall.EBUSY, text: "it is associated with another map already"},
}
