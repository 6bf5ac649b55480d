package btfx

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// extHeaderSize is the length in bytes of the header of .BTF.ext, with its part
// for CO-RE relocations.
const extHeaderSize = 32

// extKinds are the parts of .BTF.ext in the order of its header, with the
// lengths in bytes of their records. Records may be longer in a file.
var extKinds = [...]struct {
	name string
	size uint32
}{
	{"func_info", 8},
	{"line_info", 16},
	{"CO-RE relocation", 16},
}

// errBrokenExtInfo marks .BTF.ext that is to be ignored.
var errBrokenExtInfo = errors.New("broken .BTF.ext")

// extGroup holds the records of one part for one section, by ascending offset.
type extGroup struct {
	name    uint32 // of the section, in the BTF string section
	section elf.SectionIndex
	records [][]byte
}

// showExtInfo writes .BTF.ext anew, or leaves it out if it is broken or empty.
// Mirrors libbpf, which loads an object without it after a warning.
//
// Closes the gaps that cilium/ebpf v0.22.0 refuses .BTF.ext without func_info
// (gcc 12), misreads one without a header for CO-RE, and loses all records that
// follow one which is not at the start of an instruction or has the offset of
// the one before.
func (v *view) showExtInfo() error {
	index := slices.IndexFunc(v.Sections, func(s Section) bool { return s.Name == ".BTF.ext" })
	if index < 0 || v.data[index] == nil || v.types == nil {
		return nil
	}
	parts, err := extParts(v.data[index], v.ByteOrder)
	if err != nil {
		return nil
	}

	code := v.codeSections()
	ext := make([]byte, extHeaderSize, extHeaderSize+len(v.data[index]))
	v.ByteOrder.PutUint16(ext, btfMagic)
	ext[2] = 1
	v.ByteOrder.PutUint32(ext[4:], extHeaderSize)
	for i, part := range parts {
		groups, err := v.extGroups(part, extKinds[i].size, code)
		if err != nil {
			return nil
		}
		for j := range groups {
			if err := v.cleanGroup(&groups[j], extKinds[i].name); err != nil {
				return fmt.Errorf("section %q: %w", ".BTF.ext", err)
			}
			if shown := v.sections[groups[j].section].name; shown != v.Sections[groups[j].section].Name {
				groups[j].name = v.appendString(shown)
			}
		}
		start := len(ext)
		ext = v.appendGroups(ext, groups, extKinds[i].size)
		v.ByteOrder.PutUint32(ext[8+8*i:], uint32(start-extHeaderSize))
		v.ByteOrder.PutUint32(ext[12+8*i:], uint32(len(ext)-start))
	}
	v.showSection(".BTF.ext", ext)
	return nil
}

// extParts checks the header of .BTF.ext and returns its parts, empty where
// there is none.
func extParts(raw []byte, order binary.ByteOrder) (parts [len(extKinds)][]byte, err error) {
	if len(raw) < 8 || order.Uint16(raw) != btfMagic || raw[2] != 1 || raw[3] != 0 {
		return parts, errBrokenExtInfo
	}
	length := order.Uint32(raw[4:])
	if length < extHeaderSize-8 || uint64(length) >= uint64(len(raw)) {
		return parts, errBrokenExtInfo
	}
	for i := range parts {
		at := 8 + 8*i
		if uint32(at+8) > length {
			break // written before there was CO-RE
		}
		if parts[i], err = subsection(raw[length:], order.Uint32(raw[at:]), order.Uint32(raw[at+4:])); err != nil {
			return parts, errBrokenExtInfo
		}
	}
	return parts, nil
}

// codeSections returns the executable sections by name.
func (v *view) codeSections() map[string]elf.SectionIndex {
	code := make(map[string]elf.SectionIndex)
	for i, sec := range v.Sections {
		if sec.kind() == codeSection {
			code[sec.Name] = elf.SectionIndex(i)
		}
	}
	return code
}

// extGroups takes a part of .BTF.ext to pieces. Records of sections that hold
// no code are left out.
func (v *view) extGroups(part []byte, size uint32, code map[string]elf.SectionIndex) ([]extGroup, error) {
	if len(part) == 0 {
		return nil, nil
	}
	if len(part) < 4 {
		return nil, errBrokenExtInfo
	}
	length := v.ByteOrder.Uint32(part)
	if length < size || length%4 != 0 {
		return nil, errBrokenExtInfo
	}

	var groups []extGroup
	for part = part[4:]; len(part) > 0; {
		if len(part) < 8 {
			return nil, errBrokenExtInfo
		}
		name, count := v.ByteOrder.Uint32(part), uint64(v.ByteOrder.Uint32(part[4:]))
		part = part[8:]
		if count == 0 || count*uint64(length) > uint64(len(part)) {
			return nil, errBrokenExtInfo
		}
		records := part[:count*uint64(length)]
		part = part[len(records):]

		section, ok := code[v.types.string(name)]
		if !ok {
			continue
		}
		i := slices.IndexFunc(groups, func(g extGroup) bool { return g.section == section })
		if i < 0 {
			i = len(groups)
			groups = append(groups, extGroup{name: name, section: section, records: make([][]byte, 0, count)})
		}
		for ; len(records) > 0; records = records[length:] {
			groups[i].records = append(groups[i].records, records[:size])
		}
	}
	return groups, nil
}

// cleanGroup sorts the records of a group and drops those which upstream would
// stumble over. A CO-RE relocation can't be dropped.
func (v *view) cleanGroup(g *extGroup, kind string) error {
	offset := func(record []byte) uint32 { return v.ByteOrder.Uint32(record) }
	slices.SortStableFunc(g.records, func(a, b []byte) int { return cmp.Compare(offset(a), offset(b)) })

	starts := v.starts(g.section)
	kept := g.records[:0]
	for _, record := range g.records {
		at := offset(record)
		isStart := at%insnSize == 0 && uint64(at/insnSize) < uint64(len(starts)) && starts[at/insnSize]
		isRepeated := len(kept) > 0 && offset(kept[len(kept)-1]) == at
		if isStart && !isRepeated {
			kept = append(kept, record)
			continue
		}
		if kind == extKinds[2].name {
			return fmt.Errorf("%s at offset %d of section %q: not at an instruction of its own", kind, at, v.Sections[g.section].Name)
		}
	}
	g.records = kept
	return nil
}

// starts tells for each raw instruction of a section whether it is one, and not
// the second half of a 64-bit load.
func (v *view) starts(section elf.SectionIndex) []bool {
	code := v.sections[section].data
	starts := make([]bool, len(code)/insnSize)
	for i := 0; i < len(starts); i++ {
		starts[i] = true
		if code[i*insnSize] == opLoad {
			i++
		}
	}
	return starts
}

// appendGroups encodes a part of .BTF.ext.
func (v *view) appendGroups(b []byte, groups []extGroup, size uint32) []byte {
	u32 := func(value uint32) {
		b = append(b, 0, 0, 0, 0)
		v.ByteOrder.PutUint32(b[len(b)-4:], value)
	}
	u32(size)
	for _, g := range groups {
		if len(g.records) == 0 {
			continue
		}
		u32(g.name)
		u32(uint32(len(g.records)))
		for _, record := range g.records {
			b = append(b, record...)
		}
	}
	return b
}
