package structops

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/kfunc"
)

// copyMember puts one local member where the kernel's ops type has the member
// of that name.
func (r *resolver) copyMember(index int) error {
	ops := r.ops
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

	i := slices.IndexFunc(r.kern.ops.Members, func(km btf.Member) bool { return km.Name == local.Name })
	if i < 0 {
		return r.absentMember(local.Name, prog, zero)
	}
	km := r.kern.ops.Members[i]
	kernSize, err := r.kern.fits(km)
	if err != nil {
		return err
	}
	if err := r.checkKinds(local, km, localSize, kernSize, zero); err != nil {
		return err
	}
	offset := r.m.DataOffset + km.Offset.Bytes()
	dst := r.m.Value[offset : offset+kernSize]
	if isPointer(local.Type) {
		if prog == "" && !zero {
			return fmt.Errorf("non-zero pointer: a struct_ops map can hold callbacks, but no pointers to data: "+
				"leave it NULL: %w", ebpf.ErrNotSupported)
		}
		return r.addSlot(local, km, uint32(i), offset, prog)
	}
	if enum, ok := btf.As[*btf.Enum](local.Type); ok {
		return copyEnum(dst, value, enum, km.Type, ops.order())
	}
	if localSize != kernSize {
		return fmt.Errorf("size %d, kernel has %d: %w", localSize, kernSize, ebpf.ErrNotSupported)
	}
	copy(dst, value)
	return nil
}

// absentMember decides about a member that the kernel's ops type lacks.
func (r *resolver) absentMember(name, prog string, zero bool) error {
	kern := r.kern
	switch {
	case zero:
		return nil
	case prog != "" && r.mayDrop(name):
		r.plan.Dropped = append(r.plan.Dropped, Dropped{r.ops.Name, name, prog})
		return nil
	case prog != "":
		return fmt.Errorf("kernel's struct %s (%s) has no such member, and program %q fills it: "+
			"use a newer kernel, leave the callback NULL, or allow it to be dropped (Options.Missing): %w",
			kern.ops.Name, where(kern.opsRef), prog, ebpf.ErrNotSupported)
	default:
		return fmt.Errorf("kernel's struct %s (%s) has no such member, and its value is not zero: "+
			"use a newer kernel, or leave it zero: %w", kern.ops.Name, where(kern.opsRef), ebpf.ErrNotSupported)
	}
}

// copyEnum copies the value of an enum, whose size may have changed with the
// kernel's enumerators.
//
// Differs from libbpf, for which ENUM and ENUM64 are different kinds.
func copyEnum(dst, src []byte, local *btf.Enum, kern btf.Type, order binary.ByteOrder) error {
	if len(dst) == len(src) {
		copy(dst, src)
		return nil
	}
	from, to := codec{order, src}, codec{order, dst}
	v, err := from.decode(from.whole(local))
	if err == nil {
		err = to.encode(to.whole(kern), v)
	}
	if err != nil {
		return fmt.Errorf("enum of %d bytes, kernel has %d: %w: %w", len(src), len(dst), err, ebpf.ErrNotSupported)
	}
	return nil
}

// addSlot records the program of a function member. NULL needs no slot.
func (r *resolver) addSlot(local, km btf.Member, index, offset uint32, prog string) error {
	if prog == "" {
		return nil
	}
	kern := prototype(km.Type)
	if kern == nil {
		return fmt.Errorf("program %q fills it, but the kernel's member is no function pointer: %w", prog, ebpf.ErrNotSupported)
	}
	p := r.progs[prog]
	if p == nil {
		return fmt.Errorf("program %q is not in the object", prog)
	}
	if p.Type != ebpf.StructOps {
		return fmt.Errorf("program %q has type %s, not struct_ops", prog, p.Type)
	}
	if proto := prototype(local.Type); proto != nil && !fits(proto, kern) && !r.ops.isRust() {
		r.plan.Mismatches = append(r.plan.Mismatches, Mismatch{
			r.ops.Name, km.Name, prog, kfunc.Declaration(proto, km.Name), kfunc.Declaration(kern, km.Name)})
	}
	r.m.Slots = append(r.m.Slots, Slot{Member: km.Name, Index: index, Offset: offset, Program: prog})
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
func isCallback(typ btf.Type) bool { return prototype(typ) != nil }

// kindOf names the BTF kind of a type without modifiers and typedefs. ENUM64 is
// an ENUM: their values are compared.
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
		return "ENUM"
	case *btf.Float:
		return "FLOAT"
	default:
		return fmt.Sprintf("%v", t)
	}
}
