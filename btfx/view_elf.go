package btfx

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// marshal writes the view as an ELF file. Three sections follow those of the
// file: the symbol table and the names of symbols and of sections. Relocations
// come last, one section for each section that has some.
func (v *view) marshal() []byte {
	sections := append([]viewSection(nil), v.sections...)
	symtab := len(sections)

	symbols, names := v.marshalSymbols()
	sections = append(sections,
		viewSection{name: ".symtab", data: symbols, header: elf.Section64{
			Type: uint32(elf.SHT_SYMTAB), Link: uint32(symtab + 1), Entsize: elfSymbolSize, Addralign: 8,
		}},
		viewSection{name: ".strtab", data: names, header: elf.Section64{Type: uint32(elf.SHT_STRTAB)}},
	)
	for i, s := range v.sections {
		if len(s.relocations) > 0 {
			sections = append(sections, viewSection{name: ".rel" + s.name, data: v.marshalRelocations(s.relocations), header: elf.Section64{
				Type: uint32(elf.SHT_REL), Link: uint32(symtab), Info: uint32(i), Entsize: elfRelSize, Addralign: 8,
			}})
		}
	}

	// The names of the sections include that of their own section.
	var table []byte
	table = append(table, 0)
	sections = append(sections, viewSection{name: ".shstrtab", header: elf.Section64{Type: uint32(elf.SHT_STRTAB)}})
	headers := make([]elf.Section64, len(sections))
	for i, s := range sections {
		headers[i] = s.header
		if s.name != "" {
			headers[i].Name = uint32(len(table))
			table = append(append(table, s.name...), 0)
		}
	}
	sections[len(sections)-1].data = table

	var body bytes.Buffer
	body.Write(make([]byte, elfHeaderSize))
	for i, s := range sections {
		h := &headers[i]
		switch elf.SectionType(h.Type) {
		case elf.SHT_NULL:
			continue
		case elf.SHT_NOBITS:
			h.Size = s.size
		default:
			body.Write(make([]byte, -body.Len()&7))
			h.Size = uint64(len(s.data))
		}
		h.Off = uint64(body.Len())
		if h.Type != uint32(elf.SHT_NOBITS) {
			body.Write(s.data)
		}
	}

	body.Write(make([]byte, -body.Len()&7))
	offset := body.Len()
	binary.Write(&body, v.ByteOrder, headers)
	b := body.Bytes()
	binary.Encode(b, v.ByteOrder, elf.Header64{
		Ident:     v.ident(),
		Type:      uint16(elf.ET_REL),
		Machine:   uint16(elf.EM_BPF),
		Version:   uint32(elf.EV_CURRENT),
		Shoff:     uint64(offset),
		Ehsize:    elfHeaderSize,
		Shentsize: uint16(binary.Size(elf.Section64{})),
		Shnum:     uint16(len(sections)),
		Shstrndx:  uint16(len(sections) - 1),
	})
	return b
}

// ident returns the first bytes of the ELF header.
func (v *view) ident() (ident [elf.EI_NIDENT]byte) {
	copy(ident[:], elf.ELFMAG)
	ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	if v.isBigEndian() {
		ident[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	}
	ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	return ident
}

// marshalSymbols encodes the symbol table and the names in it.
func (v *view) marshalSymbols() (table, names []byte) {
	table = make([]byte, elfSymbolSize*len(v.symbols))
	names = append(names, 0)
	for i, sym := range v.symbols {
		b := table[elfSymbolSize*i:]
		if sym.Name != "" {
			v.ByteOrder.PutUint32(b, uint32(len(names)))
			names = append(append(names, sym.Name...), 0)
		}
		b[4] = elf.ST_INFO(sym.Binding, sym.Type)
		b[5] = byte(sym.Visibility)
		v.ByteOrder.PutUint16(b[6:], uint16(sym.Section))
		v.ByteOrder.PutUint64(b[8:], sym.Value)
		v.ByteOrder.PutUint64(b[16:], sym.Size)
	}
	return table, names
}

// marshalRelocations encodes the entries of a REL section.
func (v *view) marshalRelocations(rels []Relocation) []byte {
	table := make([]byte, elfRelSize*len(rels))
	for i, rel := range rels {
		b := table[elfRelSize*i:]
		v.ByteOrder.PutUint64(b, rel.Offset)
		v.ByteOrder.PutUint64(b[8:], elf.R_INFO(uint32(rel.Symbol), rel.Type))
	}
	return table
}
