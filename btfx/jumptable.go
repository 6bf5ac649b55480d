package btfx

import (
	"debug/elf"
	"fmt"
	"slices"
)

// jumpTablesName is the section of the targets of indirect jumps, which clang
// makes of a switch from version 22 and instruction set v4 on.
const jumpTablesName = ".jumptables"

// jumpTableEntry is the size of an entry in bytes.
const jumpTableEntry = 8

// JumpTable returns the targets of an indirect jump in a function: where they are
// in it, in raw instructions (8 bytes each) from its first one. The table begins
// at an offset of section .jumptables, in bytes: the Constant of an instruction
// whose Reference is that section, see [File.Spec]. The function goes by the
// [asm.Instruction.Symbol] of its first instruction.
//
// Returns an error if there is no such table or function, and if a target lies
// outside the function.
//
// Mirrors the first half of libbpf create_jt_map, which leaves the last check to
// the kernel.
func (f *File) JumpTable(offset uint64, function string) ([]uint32, error) {
	section := slices.IndexFunc(f.Sections, func(s Section) bool { return s.kind() == jumpTableSection })
	if section < 0 {
		return nil, fmt.Errorf("the file has no section %s", jumpTablesName)
	}
	table, err := f.jumpTableAt(elf.SectionIndex(section), offset)
	if err != nil {
		return nil, fmt.Errorf("section %s: offset %d: %w", jumpTablesName, offset, err)
	}
	fn, ok := f.functionNamed(function)
	if !ok {
		return nil, fmt.Errorf("the file has no function %q", function)
	}
	targets := make([]uint32, len(table)/jumpTableEntry)
	for i := range targets {
		target := f.ByteOrder.Uint64(table[i*jumpTableEntry:])
		if target < fn.start || target >= fn.end || (target-fn.start)%insnSize != 0 {
			return nil, fmt.Errorf("jump table at offset %d of section %s: target %d is offset %d of the section of function %q, which has offsets %d to %d: "+
				"static linking does not keep jump tables, compile with -mcpu=v3 or -fno-jump-tables", offset, jumpTablesName, i, target, function, fn.start, fn.end)
		}
		targets[i] = uint32((target - fn.start) / insnSize)
	}
	return targets, nil
}

// jumpTableAt returns the bytes of the table at an offset. Its symbol tells where it
// ends.
func (f *File) jumpTableAt(section elf.SectionIndex, offset uint64) ([]byte, error) {
	data := f.data[section]
	for _, sym := range f.Symbols {
		if sym.Section != section || sym.Value != offset || sym.Type != elf.STT_OBJECT {
			continue
		}
		if offset%jumpTableEntry != 0 || sym.Size%jumpTableEntry != 0 || sym.Size == 0 {
			return nil, fmt.Errorf("table %q has %d bytes: want entries of %d at a multiple of that", sym.Name, sym.Size, jumpTableEntry)
		}
		if offset > uint64(len(data)) || sym.Size > uint64(len(data))-offset {
			return nil, fmt.Errorf("table %q has %d bytes, the section %d", sym.Name, sym.Size, len(data))
		}
		return data[offset : offset+sym.Size], nil
	}
	return nil, fmt.Errorf("no table begins there")
}

// functionNamed returns the function that goes by a name, which is unique.
func (f *File) functionNamed(name string) (function, bool) {
	for _, fns := range f.functions {
		for _, fn := range fns {
			if fn.name == name {
				return fn, true
			}
		}
	}
	return function{}, false
}
