package btfx

import (
	"bytes"
	"slices"

	"github.com/cilium/ebpf/btf"
)

// editor edits a copy of raw BTF. Type IDs stay: records are changed in place,
// new ones and strings are appended.
type editor struct {
	*rawBTF
	header  []byte   // as found, longer than btfHeaderSize if a later version wrote it
	layout  []byte   // section that describes the kinds, where the header names one
	records []record // by type ID; void has none
	added   []byte   // records behind the others
	next    uint32   // type ID of the next record
}

// newEditor copies raw BTF.
func newEditor(raw []byte) (*editor, error) {
	b, err := newRawBTF(raw)
	if err != nil {
		return nil, err
	}
	header := bytes.Clone(raw[:b.order.Uint32(raw[4:])])
	e := &editor{
		rawBTF:  &rawBTF{order: b.order, types: bytes.Clone(b.types), strings: slices.Clip(b.strings)},
		header:  header,
		records: []record{{}},
	}
	if len(header) >= btfLayoutHeaderSize {
		e.layout, err = subsection(raw[len(header):], b.order.Uint32(header[24:]), b.order.Uint32(header[28:]))
		if err != nil {
			return nil, err
		}
	}
	for r, err := range e.rawBTF.records() {
		if err != nil {
			return nil, err
		}
		e.records = append(e.records, r)
	}
	e.next = uint32(len(e.records))
	return e, nil
}

// btfLayoutHeaderSize is the size in bytes of a header that has the offset and
// length of the layout section.
const btfLayoutHeaderSize = 32

// at returns a type; its kind is 0 if it is void or doesn't exist.
func (e *editor) at(id uint32) record {
	if id == 0 || uint64(id) >= uint64(len(e.records)) {
		return record{e.order, btf.TypeID(id), make([]byte, 12)}
	}
	return e.records[id]
}

// addString appends a string and returns its offset.
func (e *editor) addString(s string) uint32 {
	offset := len(e.strings)
	e.strings = append(append(e.strings, s...), 0)
	return uint32(offset)
}

// addRecord appends a record and returns its type ID.
func (e *editor) addRecord(words ...uint32) uint32 {
	for _, word := range words {
		at := len(e.added)
		e.added = append(e.added, 0, 0, 0, 0)
		e.order.PutUint32(e.added[at:], word)
	}
	e.next++
	return e.next - 1
}

// marshal returns the edited BTF with a header of the length that was found.
func (e *editor) marshal() []byte {
	header := bytes.Clone(e.header)
	types := slices.Concat(e.types, e.added)
	e.order.PutUint32(header[8:], 0)
	e.order.PutUint32(header[12:], uint32(len(types)))
	e.order.PutUint32(header[16:], uint32(len(types)+len(e.layout)))
	e.order.PutUint32(header[20:], uint32(len(e.strings)))
	if len(header) >= btfLayoutHeaderSize {
		e.order.PutUint32(header[24:], uint32(len(types)))
		e.order.PutUint32(header[28:], uint32(len(e.layout)))
	}
	return slices.Concat(header, types, e.layout, e.strings)
}
