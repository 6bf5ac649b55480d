package btfx

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Sizes in ELF64.
const (
	elfHeaderSize = 64
	elfRelSize    = 16
	elfSymbolSize = 24
)

// maxSections bounds the number of sections, so that there is room for those
// which the view adds.
const maxSections = 1 << 14

// readHeaders reads the ELF header, the section headers and the names of the
// sections.
func (f *File) readHeaders(r io.ReaderAt) error {
	var header elf.Header64
	b, err := readFull(r, 0, elfHeaderSize)
	if err != nil || string(b[:4]) != elf.ELFMAG {
		return errors.New("not an ELF file")
	}
	if class := elf.Class(b[elf.EI_CLASS]); class != elf.ELFCLASS64 {
		return fmt.Errorf("ELF header: %s, want %s", class, elf.ELFCLASS64)
	}
	switch data := elf.Data(b[elf.EI_DATA]); data {
	case elf.ELFDATA2LSB:
		f.ByteOrder = binary.LittleEndian
	case elf.ELFDATA2MSB:
		f.ByteOrder = binary.BigEndian
	default:
		return fmt.Errorf("ELF header: unknown byte order %s", data)
	}
	if _, err := binary.Decode(b, f.ByteOrder, &header); err != nil {
		return fmt.Errorf("ELF header: %w", err)
	}
	if m := elf.Machine(header.Machine); m != elf.EM_BPF && m != elf.EM_NONE {
		return fmt.Errorf("ELF header: machine %s, want %s: compile with -target bpf", m, elf.EM_BPF)
	}
	if typ := elf.Type(header.Type); typ != elf.ET_REL {
		return fmt.Errorf("ELF header: type %s, want %s", typ, elf.ET_REL)
	}
	if header.Shnum > maxSections || header.Shstrndx >= header.Shnum {
		return fmt.Errorf("ELF header: %d sections, section %d holds their names", header.Shnum, header.Shstrndx)
	}

	f.headers = make([]elf.Section64, header.Shnum)
	size := binary.Size(f.headers)
	if want := size / len(f.headers); int(header.Shentsize) != want {
		return fmt.Errorf("ELF header: section headers of %d bytes, want %d", header.Shentsize, want)
	}
	if b, err = readFull(r, header.Shoff, uint64(size)); err != nil {
		return fmt.Errorf("section headers: %w", err)
	}
	if _, err := binary.Decode(b, f.ByteOrder, f.headers); err != nil {
		return fmt.Errorf("section headers: %w", err)
	}
	return f.readNames(r, f.headers[header.Shstrndx])
}

// readNames fills Sections.
func (f *File) readNames(r io.ReaderAt, names elf.Section64) error {
	if elf.SectionType(names.Type) != elf.SHT_STRTAB {
		return fmt.Errorf("section names: %s, want %s", elf.SectionType(names.Type), elf.SHT_STRTAB)
	}
	b, err := readFull(r, names.Off, names.Size)
	if err != nil {
		return fmt.Errorf("section names: %w", err)
	}

	var total int
	f.Sections = make([]Section, len(f.headers))
	table := string(b)
	for i, h := range f.headers[1:] {
		name, err := stringAt(table, h.Name)
		if err != nil {
			return fmt.Errorf("section %d: name: %w", i+1, err)
		}
		if total += len(name); total > maxNames {
			return fmt.Errorf("section names: more than %d bytes", maxNames)
		}
		f.Sections[i+1] = Section{
			Name:  name,
			Type:  elf.SectionType(h.Type),
			Flags: elf.SectionFlag(h.Flags),
			Size:  h.Size,
		}
	}
	return nil
}

// readSections reads the contents of all sections but those of DWARF. Sections
// must not overlap, so together they are no larger than the file.
func (f *File) readSections(r io.ReaderAt) error {
	var present []int
	for i, sec := range f.Sections {
		if sec.Type == elf.SHT_NULL || sec.Type == elf.SHT_NOBITS || sec.Size == 0 || isDebug(sec.Name) {
			continue
		}
		if sec.Flags&elf.SHF_COMPRESSED != 0 {
			return fmt.Errorf("section %q: compressed", sec.Name)
		}
		present = append(present, i)
	}

	byOffset := slices.Clone(present)
	slices.SortStableFunc(byOffset, func(a, b int) int { return cmp.Compare(f.headers[a].Off, f.headers[b].Off) })
	for i, index := range byOffset[min(1, len(byOffset)):] {
		prev := f.headers[byOffset[i]]
		if next := f.headers[index]; next.Off-prev.Off < prev.Size {
			return fmt.Errorf("section %q: overlaps section %q in the file", f.Sections[index].Name, f.Sections[byOffset[i]].Name)
		}
	}

	f.data = make([][]byte, len(f.Sections))
	for _, i := range present {
		b, err := readFull(r, f.headers[i].Off, f.headers[i].Size)
		if err != nil {
			return fmt.Errorf("section %q: %w", f.Sections[i].Name, err)
		}
		f.data[i] = b
	}
	return nil
}

// readRelocations attaches the REL sections to the sections they apply to: code,
// data, maps and struct_ops. Mirrors libbpf bpf_object__elf_collect, which
// accepts no RELA either.
func (f *File) readRelocations(io.ReaderAt) error {
	for i, h := range f.headers {
		sec := &f.Sections[i]
		if (sec.Type != elf.SHT_REL && sec.Type != elf.SHT_RELA) || isDebug(sec.Name) {
			continue
		}
		if uint64(h.Info) >= uint64(len(f.Sections)) {
			return fmt.Errorf("section %q: applies to section %d, the file has %d", sec.Name, h.Info, len(f.Sections))
		}

		target := &f.Sections[h.Info]
		if kind := target.kind(); kind == otherSection || kind == licenseSection {
			continue
		}
		if sec.Type == elf.SHT_RELA {
			return fmt.Errorf("section %q: relocations of section %q are of type %s, want %s", sec.Name, target.Name, sec.Type, elf.SHT_REL)
		}
		if h.Entsize != elfRelSize || h.Size%elfRelSize != 0 {
			return fmt.Errorf("section %q: %d bytes in entries of %d, want entries of %d", sec.Name, h.Size, h.Entsize, elfRelSize)
		}

		target.Relocations = slices.Grow(target.Relocations, len(f.data[i])/elfRelSize)
		for b := f.data[i]; len(b) > 0; b = b[elfRelSize:] {
			info := f.ByteOrder.Uint64(b[8:])
			rel := Relocation{f.ByteOrder.Uint64(b), elf.R_TYPE64(info), int(elf.R_SYM64(info))}
			if rel.Symbol >= len(f.Symbols) {
				return fmt.Errorf("section %q: relocation at offset %d of section %q: symbol %d, the file has %d", sec.Name, rel.Offset, target.Name, rel.Symbol, len(f.Symbols))
			}
			target.Relocations = append(target.Relocations, rel)
		}
		slices.SortStableFunc(target.Relocations, func(a, b Relocation) int { return cmp.Compare(a.Offset, b.Offset) })
	}
	return nil
}

// readFull reads size bytes. Memory is taken as bytes arrive, since size may be
// a lie.
func readFull(r io.ReaderAt, offset, size uint64) ([]byte, error) {
	const chunk = 1 << 20

	if offset+size < offset || int64(offset+size) < 0 {
		return nil, fmt.Errorf("offset %d and size %d are out of range", offset, size)
	}
	section := io.NewSectionReader(r, int64(offset), int64(size))
	var b []byte
	if size <= chunk {
		b = make([]byte, size)
		n, err := io.ReadFull(section, b)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, err
		}
		b = b[:n]
	} else {
		var buf bytes.Buffer
		buf.Grow(chunk)
		if _, err := buf.ReadFrom(section); err != nil {
			return nil, err
		}
		b = buf.Bytes()
	}
	if uint64(len(b)) < size {
		return nil, fmt.Errorf("%d bytes at offset %d, the file ends after %d of them: %w", size, offset, len(b), io.ErrUnexpectedEOF)
	}
	return b, nil
}

// stringAt returns the NUL-terminated string at an offset of a string table.
func stringAt(table string, offset uint32) (string, error) {
	if uint64(offset) < uint64(len(table)) {
		if name, _, ok := strings.Cut(table[offset:], "\x00"); ok {
			return name, nil
		}
	}
	return "", fmt.Errorf("offset %d is no string in a table of %d bytes", offset, len(table))
}
