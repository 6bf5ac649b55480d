package structops

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// copyMember puts one local member where the kernel's ops type has the member
// of that name.
func (m *MapPlan) copyMember(ops *Ops, index int, kern *opsType, progs map[string]*ebpf.ProgramSpec) error {
	local := ops.Type.Members[index]
	localSize, err := memberSize(local)
	if err != nil {
		return err
	}
	start := uint64(local.Offset.Bytes())
	if start+uint64(localSize) > uint64(len(ops.Value)) {
		return fmt.Errorf("offset %d with %d bytes, struct %s has %d", start, localSize, ops.Type.Name, len(ops.Value))
	}
	value, prog := ops.Value[start:start+uint64(localSize)], ops.Programs[index]
	zero := prog == "" && !slices.ContainsFunc(value, func(b byte) bool { return b != 0 })

	i := slices.IndexFunc(kern.ops.Members, func(km btf.Member) bool { return km.Name == local.Name })
	if i < 0 {
		return m.absentMember(kern, prog, zero)
	}
	km := kern.ops.Members[i]
	kernSize, err := kern.fits(km)
	if err != nil {
		return err
	}
	if local, kern := kindOf(local.Type), kindOf(km.Type); local != kern {
		return fmt.Errorf("is %s, kernel has %s: %w", local, kern, ebpf.ErrNotSupported)
	}
	offset := m.DataOffset + km.Offset.Bytes()
	if _, ok := btf.As[*btf.Pointer](local.Type); ok {
		if prog == "" && !zero {
			return fmt.Errorf("non-zero pointer: a struct_ops map can hold callbacks, but no pointers to data: "+
				"leave it NULL: %w", ebpf.ErrNotSupported)
		}
		return m.addSlot(km, uint32(i), offset, prog, progs)
	}
	if localSize != kernSize {
		return fmt.Errorf("size %d, kernel has %d: %w", localSize, kernSize, ebpf.ErrNotSupported)
	}
	copy(m.Value[offset:offset+kernSize], value)
	return nil
}

// absentMember decides about a member that the kernel's ops type lacks.
func (m *MapPlan) absentMember(kern *opsType, prog string, zero bool) error {
	switch {
	case zero:
		return nil
	case prog != "":
		return fmt.Errorf("kernel's struct %s (%s) has no such member, and program %q fills it: "+
			"use a newer kernel, or leave the callback NULL: %w", kern.ops.Name, where(kern.opsRef), prog, ebpf.ErrNotSupported)
	default:
		return fmt.Errorf("kernel's struct %s (%s) has no such member, and its value is not zero: "+
			"use a newer kernel, or leave it zero: %w", kern.ops.Name, where(kern.opsRef), ebpf.ErrNotSupported)
	}
}

// addSlot records the program of a function member. NULL needs no slot.
func (m *MapPlan) addSlot(km btf.Member, index, offset uint32, prog string, progs map[string]*ebpf.ProgramSpec) error {
	if prog == "" {
		return nil
	}
	if !isCallback(km.Type) {
		return fmt.Errorf("program %q fills it, but the kernel's member is no function pointer: %w", prog, ebpf.ErrNotSupported)
	}
	p := progs[prog]
	if p == nil {
		return fmt.Errorf("program %q is not in the object", prog)
	}
	if p.Type != ebpf.StructOps {
		return fmt.Errorf("program %q has type %s, not struct_ops", prog, p.Type)
	}
	m.Slots = append(m.Slots, Slot{Member: km.Name, Index: index, Offset: offset, Program: prog})
	return nil
}

// fits returns the size of a kernel member in bytes, if it lies in the ops type.
func (t *opsType) fits(km btf.Member) (uint32, error) {
	size, err := memberSize(km)
	if err != nil {
		return 0, fmt.Errorf("kernel: %w", err)
	}
	if uint64(km.Offset.Bytes())+uint64(size) > uint64(t.ops.Size) {
		return 0, fmt.Errorf("kernel: offset %d with %d bytes, struct %s has %d", km.Offset.Bytes(), size, t.ops.Name, t.ops.Size)
	}
	return size, nil
}

// memberSize returns the size of a member in bytes. Bitfields have none.
func memberSize(m btf.Member) (uint32, error) {
	if m.BitfieldSize != 0 || m.Offset%8 != 0 {
		return 0, fmt.Errorf("bitfield: %w", ebpf.ErrNotSupported)
	}
	size, err := btf.Sizeof(m.Type)
	if err != nil {
		return 0, err
	}
	if size < 0 || uint64(size) > uint64(^uint32(0)) {
		return 0, errors.New("size exceeds 32 bits")
	}
	return uint32(size), nil
}

// isCallback tells whether a type is a pointer to a function.
func isCallback(typ btf.Type) bool {
	ptr, ok := btf.As[*btf.Pointer](typ)
	if !ok {
		return false
	}
	_, ok = btf.As[*btf.FuncProto](ptr.Target)
	return ok
}

// kindOf names the BTF kind of a type without modifiers and typedefs. ENUM and
// ENUM64 differ, as they do for libbpf.
func kindOf(typ btf.Type) string {
	switch t := btf.UnderlyingType(typ).(type) {
	case *btf.Int:
		return "INT"
	case *btf.Pointer:
		return "PTR"
	case *btf.Array:
		return "ARRAY"
	case *btf.Struct:
		return "STRUCT"
	case *btf.Union:
		return "UNION"
	case *btf.Enum:
		if t.Size == 8 {
			return "ENUM64"
		}
		return "ENUM"
	case *btf.Float:
		return "FLOAT"
	default:
		return fmt.Sprintf("%v", t)
	}
}
