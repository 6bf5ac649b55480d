package structops

import (
	"fmt"
	"strings"

	"github.com/ebpfx/ebpfx/btfx"
)

// Plan says what a load will create for the struct_ops maps of an object on a
// given kernel. It is plain data: the same object and kernel give an equal plan.
type Plan struct {
	// Maps to create, sorted by name.
	Maps []MapPlan
	// Programs of type struct_ops to load, sorted by name.
	Programs []ProgramPlan
	// Skipped are the names of optional maps and struct_ops programs that are
	// left out because nothing asks for them, sorted.
	Skipped []string
	// Dropped are the callbacks that the kernel's ops types lack and that
	// [Options.Missing] has left out, by map and in the order of the members.
	Dropped []Dropped
	// Mismatches are the callbacks whose prototype is not the kernel's, in the
	// same order.
	Mismatches []Mismatch
}

// MapPlan is the plan of one struct_ops map.
//
//	kernel value (ValueSize bytes)
//	+0            common: reference count and state, set by the kernel
//	+DataOffset   the ops type begins here
//	              +member   each member, at the kernel's offset
type MapPlan struct {
	Name string
	// OpsType is the kernel's ops type, ValueType the struct that wraps it;
	// both are in the same BTF object.
	OpsType   string
	OpsRef    btfx.Ref
	ValueRef  btfx.Ref
	ValueSize uint32 // of the value type, in bytes
	// DataOffset is the offset of the data member in the value type, in bytes.
	DataOffset uint32
	// StateOffset is the offset of the map's state in the value type, in bytes.
	StateOffset uint32
	// Link is true for maps that are attached through a BPF link.
	Link bool
	// Value is the kernel value with all callbacks zero.
	// len(Value) == ValueSize.
	Value []byte
	// Slots are the callbacks, in the kernel's member order.
	Slots []Slot
}

// Slot is a function member that a program fills.
type Slot struct {
	Member  string
	Index   uint32 // of the member in the kernel's ops type
	Offset  uint32 // in the kernel value, in bytes
	Program string
}

// ProgramPlan is what BPF_PROG_LOAD is told about a struct_ops program.
type ProgramPlan struct {
	Name   string
	OpsRef btfx.Ref // attach_btf_id, and the module it belongs to
	Index  uint32   // of the member, expected_attach_type
}

// String renders the plan as a table, a line for each map and slot.
func (p *Plan) String() string {
	var b strings.Builder
	for _, m := range p.Maps {
		how := "legacy"
		if m.Link {
			how = "link"
		}
		fmt.Fprintf(&b, "map %s: %s (BTF ID %d, value type %d in %s), %d bytes, data at %d, %s\n",
			m.Name, m.OpsType, m.OpsRef.ID, m.ValueRef.ID, where(m.OpsRef), m.ValueSize, m.DataOffset, how)
		for _, s := range m.Slots {
			fmt.Fprintf(&b, "\t%-3d +%-4d %s = %s\n", s.Index, s.Offset, s.Member, s.Program)
		}
	}
	for _, name := range p.Skipped {
		fmt.Fprintf(&b, "skipped %s\n", name)
	}
	for _, d := range p.Dropped {
		fmt.Fprintf(&b, "dropped: %s\n", d)
	}
	for _, m := range p.Mismatches {
		fmt.Fprintf(&b, "mismatch: %s\n", m)
	}
	return b.String()
}

// where names the BTF object of a type.
func where(ref btfx.Ref) string {
	if ref.Module == "" {
		return "vmlinux"
	}
	return "module " + ref.Module
}
