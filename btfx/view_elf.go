package btfx

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"
)

// marshal writes the view as an ELF file: header, contents of the sections,
// section headers.
func (v *view) marshal() []byte {
	sections := v.layout()
	headers, names := sectionHeaders(sections)
	sections[len(sections)-1].data = names

	size := elfHeaderSize + (len(headers)+1)*binary.Size(elf.Section64{})
	for _, s := range sections {
		size += len(s.data) + 8
	}
	var body bytes.Buffer
	body.Grow(size)
	body.Write(make([]byte, elfHeaderSize))
	for i, s := range sections {
		h := &headers[i]
		switch elf.SectionType(h.Type) {
		case elf.SHT_NULL:
		case elf.SHT_NOBITS:
			h.Off, h.Size = uint64(body.Len()), s.size
		default:
			body.Write(make([]byte, -body.Len()&7))
			h.Off, h.Size = uint64(body.Len()), uint64(len(s.data))
			body.Write(s.data)
		}
	}

	body.Write(make([]byte, -body.Len()&7))
	offset := body.Len()
	binary.Write(&body, v.ByteOrder, headers) // a Buffer returns no error
	b := body.Bytes()
	binary.Encode(b, v.ByteOrder, elf.Header64{ // fits, as space was left for it
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

// layout returns all sections to be written. Those of the file come first, so
// that they keep their index; then the symbol table with its names, relocations
// for each section that has some, and a section for the names of sections.
func (v *view) layout() []viewSection {
	sections := slices.Clone(v.sections)
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
	return append(sections, viewSection{name: ".shstrtab", header: elf.Section64{Type: uint32(elf.SHT_STRTAB)}})
}

// sectionHeaders returns the headers of sections and the table of their names.
func sectionHeaders(sections []viewSection) (headers []elf.Section64, names []byte) {
	headers = make([]elf.Section64, len(sections))
	names = append(names, 0)
	for i, s := range sections {
		headers[i] = s.header
		if s.name != "" {
			headers[i].Name = uint32(len(names))
			names = append(append(names, s.name...), 0)
		}
	}
	return headers, names
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
