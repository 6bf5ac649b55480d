package structops

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/ebpfx/ebpfx/btfx"
	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// jumpTables is the section with the targets of indirect jumps.
const jumpTables = ".jumptables"

// jumpTable is the table of an indirect jump as one program has it. A function
// that several programs share has one for each of them: the kernel ties the map to
// a program.
type jumpTable struct {
	offset  uint64   // in section .jumptables, in bytes
	targets []uint32 // raw instructions from the start of the program
	uses    []int    // indices of the instructions that load its address
}

// findJumpTables returns the tables that a program refers to, in the order in
// which it does.
func findJumpTables(file *btfx.File, insns asm.Instructions) ([]*jumpTable, error) {
	var tables []*jumpTable
	var function string
	var start asm.RawInstructionOffset
	for iter := insns.Iterate(); iter.Next(); {
		if name := iter.Ins.Symbol(); name != "" {
			function, start = name, iter.Offset
		}
		if iter.Ins.Reference() != jumpTables {
			continue
		}
		offset := uint64(iter.Ins.Constant)
		i := slices.IndexFunc(tables, func(t *jumpTable) bool { return t.offset == offset })
		if i < 0 {
			targets, err := file.JumpTable(offset, function)
			if err != nil {
				return nil, fmt.Errorf("instruction %d: %w", iter.Index, err)
			}
			for i := range targets {
				targets[i] += uint32(start)
			}
			i, tables = len(tables), append(tables, &jumpTable{offset: offset, targets: targets})
		}
		tables[i].uses = append(tables[i].uses, iter.Index)
	}
	return tables, nil
}

// linkJumpTables creates the maps of a program's jump tables and puts their
// addresses into its instructions. The program holds them once it is loaded.
//
// Mirrors libbpf create_jt_map.
func (l *loader) linkJumpTables(p *program) error {
	if l.obj.file == nil {
		return nil // upstream's reader refuses the section
	}
	tables, err := findJumpTables(l.obj.file, p.spec.Instructions)
	if err != nil {
		return err
	}
	for _, t := range tables {
		m, err := t.create()
		if err != nil {
			return fmt.Errorf("jump table at offset %d of section %s: %w", t.offset, jumpTables, err)
		}
		l.jumpTables = append(l.jumpTables, m)
		for _, i := range t.uses {
			ins := &p.spec.Instructions[i]
			ins.Src, ins.Constant = asm.PseudoMapValue, int64(m.FD())
			*ins = ins.WithReference("")
		}
	}
	return nil
}

// create makes the map of a table. The caller closes it.
func (t *jumpTable) create() (*ebpf.Map, error) {
	m, err := newMap(&sys.MapCreate{
		Type: sys.MapTypeInsnArray, KeySize: 4, ValueSize: insnArrayValue, MaxEntries: uint32(len(t.targets)), Name: jumpTables,
	})
	if errors.Is(err, syscall.EINVAL) {
		return nil, fmt.Errorf("the kernel has no indirect jumps, which need Linux 6.19: compile with -mcpu=v3 or -fno-jump-tables: %w: %w",
			ebpf.ErrNotSupported, err)
	}
	if err != nil {
		return nil, err
	}
	if err := t.fill(m); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// insnArrayValue is the size of struct bpf_insn_array_value in bytes: the offset of
// the instruction in the program as it is loaded, comes first, and then what the
// kernel makes of it.
const insnArrayValue = 16

func (t *jumpTable) fill(m *ebpf.Map) error {
	for i, target := range t.targets {
		value := make([]byte, insnArrayValue)
		binary.NativeEndian.PutUint32(value, target)
		if err := m.Put(uint32(i), value); err != nil {
			return fmt.Errorf("target %d: %w", i, err)
		}
	}
	if err := m.Freeze(); err != nil {
		return fmt.Errorf("freeze: %w", err)
	}
	return nil
}
