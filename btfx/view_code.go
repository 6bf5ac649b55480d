package btfx

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"
)

// Encodings of the instructions that carry relocations. The register byte holds
// dst and src in the order of bits of the byte order.
const (
	insnSize = 8
	opCall   = 0x85
	opLoad   = 0x18 // 64-bit load, two instructions long
	opExit   = 0x95

	pseudoCall = 1
)

// showFunctions leaves upstream exactly one symbol for each function, and one
// for each hole between functions.
//
// Closes the gap that cilium/ebpf v0.22.0 counts the offsets of .BTF.ext over
// symbols: a body without one, as an overridden weak function leaves in a
// statically linked object, and padding shift every func_info, line_info and
// CO-RE relocation that follows. A hole becomes a function of its own that
// consists of exits and is dropped from the spec.
//
// Also closes the gap that static functions which share a name are refused.
func (v *view) showFunctions() {
	for i := range v.symbols {
		sym := &v.symbols[i]
		if sym.isDefined() && v.Sections[sym.Section].kind() == codeSection && sym.Type != elf.STT_SECTION {
			// Upstream ignores local labels.
			sym.Type, sym.Binding = elf.STT_NOTYPE, elf.STB_LOCAL
		}
	}

	for i, sec := range v.Sections {
		if sec.kind() != codeSection {
			continue
		}
		section := &v.sections[i]
		section.data = bytes.Clone(section.data)

		var end uint64
		for _, fn := range v.functions[i] {
			v.symbols[fn.symbol] = v.Symbols[fn.symbol]
			v.symbols[fn.symbol].Name = fn.name
			v.showHole(elf.SectionIndex(i), end, fn.start)
			end = fn.end
		}
		v.showHole(elf.SectionIndex(i), end, sec.Size)
	}
}

// showHole puts a function in the place of bytes that belong to none.
func (v *view) showHole(section elf.SectionIndex, start, end uint64) {
	size := (end - start) &^ (insnSize - 1)
	if size == 0 {
		return
	}
	hole := v.sections[section].data[start:][:size]
	clear(hole)
	for at := 0; at < len(hole); at += insnSize {
		hole[at] = opExit
	}

	// No symbol that a compiler writes has spaces in its name.
	name := fmt.Sprintf("hole in %s at %d", v.Sections[section].Name, start)
	v.holes = append(v.holes, name)
	v.appendSymbol(Symbol{Name: name, Section: section, Value: start, Size: size, Type: elf.STT_FUNC, Binding: elf.STB_LOCAL})
}

// showCode points every relocation of code at something that upstream resolves
// as libbpf does.
func (v *view) showCode() error {
	for i, sec := range v.Sections {
		if sec.kind() != codeSection {
			continue
		}
		section := elf.SectionIndex(i)
		for _, rel := range sec.Relocations {
			if !v.inFunction(section, rel.Offset) {
				// Left behind by an overridden weak function. Mirrors libbpf
				// bpf_object__collect_prog_relos.
				continue
			}
			shown, err := v.showRelocation(section, rel)
			if err != nil {
				return fmt.Errorf("section %q: offset %d: reference to %q: %w", sec.Name, rel.Offset, v.describe(rel.Symbol), err)
			}
			v.sections[i].relocations = append(v.sections[i].relocations, shown)
		}
		if err := v.checkCalls(section); err != nil {
			return fmt.Errorf("section %q: %w", sec.Name, err)
		}
	}
	return nil
}

// describe names a symbol for an error: a section symbol has no name of its own.
func (v *view) describe(symbol int) string {
	sym := v.Symbols[symbol]
	if sym.Name == "" && sym.isDefined() {
		return v.Sections[sym.Section].Name
	}
	return sym.Name
}

// inFunction tells whether an offset of a section lies in a function.
func (v *view) inFunction(section elf.SectionIndex, offset uint64) bool {
	fns := v.functions[section]
	i, _ := slices.BinarySearchFunc(fns, offset, func(fn function, offset uint64) int {
		if fn.end <= offset {
			return -1
		}
		return 1
	})
	return i < len(fns) && fns[i].start <= offset
}

// showRelocation rewrites one instruction and its relocation.
func (v *view) showRelocation(section elf.SectionIndex, rel Relocation) (Relocation, error) {
	code := v.sections[section].data
	if rel.Offset%insnSize != 0 {
		return rel, fmt.Errorf("not at an instruction")
	}
	ins := instruction{v.File, code[rel.Offset:]}
	if op := ins.raw[0]; op != opCall && op != opLoad {
		return rel, fmt.Errorf("instruction with opcode %#x is neither a call nor a 64-bit load", op)
	}
	if ins.raw[0] == opLoad && len(ins.raw) < 2*insnSize {
		return rel, fmt.Errorf("64-bit load exceeds the section")
	}

	sym := v.Symbols[rel.Symbol]
	if sym.Section == elf.SHN_UNDEF {
		return v.showExtern(ins, rel)
	}
	if !sym.isDefined() {
		return rel, fmt.Errorf("symbol is in %s", sym.Section)
	}

	switch kind := v.Sections[sym.Section].kind(); {
	case kind == codeSection:
		return v.showFunctionReference(ins, rel, sym)
	case ins.raw[0] == opCall:
		return rel, fmt.Errorf("call of something in section %q, which holds no code", v.Sections[sym.Section].Name)
	case kind == mapsSection:
		return rel, nil
	case kind == dataSection:
		return v.showDataReference(ins, rel, sym)
	case kind == arenaSection:
		return v.showOffset(ins, rel, sym, arenaName)
	case kind == jumpTableSection:
		return v.showOffset(ins, rel, sym, jumpTablesName)
	}
	return rel, fmt.Errorf("section %q holds neither code nor data nor maps", v.Sections[sym.Section].Name)
}

// showExtern makes the use of an extern a plain reference. A kfunc, ksym or
// kconfig value is not one to upstream, as showTypes hides their DATASECs.
func (v *view) showExtern(ins instruction, rel Relocation) (Relocation, error) {
	if v.Symbols[rel.Symbol].Name == "" {
		return rel, fmt.Errorf("undefined symbol without a name")
	}
	if ins.raw[0] == opCall {
		ins.setSrc(pseudoCall)
		ins.setImm(-1)
	} else {
		ins.setSrc(0)
		ins.setImm64(0)
	}
	return rel, nil
}

// showFunctionReference names a function by its section and offset, as clang
// does for static ones. Mirrors libbpf bpf_object__reloc_code.
//
// Closes the gaps that cilium/ebpf v0.22.0 takes the first function of the
// section where the address of a global one is loaded, and refuses addresses of
// weak functions and calls of local symbols.
func (v *view) showFunctionReference(ins instruction, rel Relocation, sym Symbol) (Relocation, error) {
	var offset int64
	if ins.raw[0] == opCall {
		offset = int64(sym.Value) + (int64(ins.imm())+1)*insnSize
	} else {
		offset = int64(sym.Value) + int64(ins.imm())
	}
	if _, ok := v.FunctionAt(sym.Section, uint64(offset)); !ok {
		return rel, fmt.Errorf("no function at offset %d of section %q", offset, v.Sections[sym.Section].Name)
	}

	if ins.raw[0] == opCall {
		ins.setImm(int32(offset/insnSize - 1))
	} else {
		ins.setImm64(uint64(offset))
	}
	rel.Symbol = v.sectionSymbol(sym.Section)
	return rel, nil
}

// showDataReference names a variable by its section and offset. Closes the gap
// that cilium/ebpf v0.22.0 ignores the addend of a reference to a global
// variable.
func (v *view) showDataReference(ins instruction, rel Relocation, sym Symbol) (Relocation, error) {
	offset, err := ins.dataOffset(sym)
	if err != nil {
		return rel, err
	}
	ins.setImm64(uint64(offset))
	rel.Symbol = v.sectionSymbol(sym.Section)
	return rel, nil
}

// showOffset makes what is in a section that only we know an extern with the
// section's name and an offset. Closes the gap that cilium/ebpf v0.22.0 refuses
// .addr_space.1 and .jumptables.
func (v *view) showOffset(ins instruction, rel Relocation, sym Symbol, section string) (Relocation, error) {
	offset, err := ins.dataOffset(sym)
	if err != nil {
		return rel, err
	}
	if v.sectionExterns[section] == 0 {
		v.sectionExterns[section] = v.appendSymbol(Symbol{Name: section, Binding: elf.STB_GLOBAL})
	}
	ins.setSrc(0)
	ins.setImm64(uint64(offset))
	rel.Symbol = v.sectionExterns[section]
	return rel, nil
}

// checkCalls checks the calls without a relocation, as LLVM up to version 9
// wrote them within a section: none may end up in a hole.
func (v *view) checkCalls(section elf.SectionIndex) error {
	if len(v.holes) == 0 {
		return nil
	}
	relocated := v.sections[section].relocations
	for _, fn := range v.functions[section] {
		for at := fn.start; at < fn.end; at += insnSize {
			ins := instruction{v.File, v.sections[section].data[at:]}
			for len(relocated) > 0 && relocated[0].Offset < at {
				relocated = relocated[1:]
			}
			switch {
			case ins.raw[0] == opLoad:
				at += insnSize
			case ins.raw[0] != opCall || ins.src() != pseudoCall || ins.imm() == -1:
			case len(relocated) > 0 && relocated[0].Offset == at:
			default:
				target := int64(at) + (int64(ins.imm())+1)*insnSize
				if _, ok := v.FunctionAt(section, uint64(target)); !ok {
					return fmt.Errorf("offset %d: call of offset %d, where no function starts", at, target)
				}
			}
		}
	}
	return nil
}

// showMaps points the relocations of map definitions, the values of PROG_ARRAYs
// and maps of maps, at the symbols that upstream kept. Mirrors libbpf
// bpf_object__collect_map_relos, which finds a program by section and offset.
func (v *view) showMaps() error {
	for i, sec := range v.Sections {
		if sec.kind() != mapsSection {
			continue
		}
		for _, rel := range sec.Relocations {
			sym := v.Symbols[rel.Symbol]
			if sym.isDefined() && v.Sections[sym.Section].kind() == codeSection {
				index, ok := v.functionIndex(sym.Section, sym.Value)
				if !ok {
					return fmt.Errorf("section %q: offset %d: reference to %q: no function at offset %d of section %q", sec.Name, rel.Offset, v.describe(rel.Symbol), sym.Value, v.Sections[sym.Section].Name)
				}
				rel.Symbol = v.functions[sym.Section][index].symbol
			}
			v.sections[i].relocations = append(v.sections[i].relocations, rel)
		}
	}
	return nil
}

// instruction is a raw BPF instruction and what follows it.
type instruction struct {
	*File
	raw []byte
}

func (i instruction) imm() int32         { return int32(i.ByteOrder.Uint32(i.raw[4:])) }
func (i instruction) setImm(value int32) { i.ByteOrder.PutUint32(i.raw[4:], uint32(value)) }

// setImm64 sets the constant of a 64-bit load.
func (i instruction) setImm64(value uint64) {
	i.setImm(int32(value))
	i.ByteOrder.PutUint32(i.raw[12:], uint32(value>>32))
}

// src returns the source register.
func (i instruction) src() byte {
	if i.isBigEndian() {
		return i.raw[1] & 0xf
	}
	return i.raw[1] >> 4
}

// setSrc sets the source register.
func (i instruction) setSrc(src byte) {
	if i.isBigEndian() {
		i.raw[1] = i.raw[1]&0xf0 | src
	} else {
		i.raw[1] = i.raw[1]&0x0f | src<<4
	}
}

// dataOffset is the offset in its section that a load refers to.
func (i instruction) dataOffset(sym Symbol) (uint32, error) {
	offset := int64(sym.Value) + int64(i.imm())
	if offset < 0 || offset > 1<<32-1 {
		return 0, fmt.Errorf("offset %d of the section", offset)
	}
	return uint32(offset), nil
}
