package btfx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/cilium/ebpf/btf"
)

// BTF kinds as numbered by the kernel's BTF_KIND_*. Those that are looked up
// by name are exported as [Kind].
const (
	recInt       = 1
	recPtr       = 2
	recArray     = 3
	recStruct    = 4
	recUnion     = 5
	recEnum      = 6
	recFwd       = 7
	recTypedef   = 8
	recVolatile  = 9
	recConst     = 10
	recRestrict  = 11
	recFunc      = 12
	recFuncProto = 13
	recVar       = 14
	recDatasec   = 15
	recFloat     = 16
	recDeclTag   = 17
	recTypeTag   = 18
	recEnum64    = 19
)

const (
	btfMagic      = 0xeb9f
	btfHeaderSize = 24 // without what later versions appended
)

// rawBTF is BTF taken apart: the type section is a sequence of records, the
// string section a sequence of NUL-terminated strings. Nothing is decoded
// before it is asked for.
type rawBTF struct {
	order   binary.ByteOrder
	types   []byte
	strings []byte
	count   int // number of types, once checked
}

// record is one type of a [rawBTF]. Its fields are read from, and written to, the
// bytes of the BTF.
type record struct {
	order binary.ByteOrder
	id    btf.TypeID
	raw   []byte // the 12 bytes of struct btf_type and what follows them
}

// newRawBTF checks the header of raw BTF and finds its sections. The result keeps
// raw.
func newRawBTF(raw []byte) (*rawBTF, error) {
	if len(raw) < btfHeaderSize {
		return nil, fmt.Errorf("BTF header: %d bytes, want %d", len(raw), btfHeaderSize)
	}

	var order binary.ByteOrder = binary.LittleEndian
	if order.Uint16(raw) != btfMagic {
		order = binary.BigEndian
	}
	if magic := order.Uint16(raw); magic != btfMagic {
		return nil, fmt.Errorf("BTF header: magic %#x, want %#x", magic, btfMagic)
	}
	if raw[2] != 1 {
		return nil, fmt.Errorf("BTF header: version %d, want 1", raw[2])
	}
	if raw[3] != 0 {
		return nil, fmt.Errorf("BTF header: unknown flags %#x", raw[3])
	}

	length := order.Uint32(raw[4:])
	if length < btfHeaderSize || uint64(length) > uint64(len(raw)) {
		return nil, fmt.Errorf("BTF header: length %d, BTF has %d bytes", length, len(raw))
	}

	body := raw[length:]
	types, err := subsection(body, order.Uint32(raw[8:]), order.Uint32(raw[12:]))
	if err != nil {
		return nil, fmt.Errorf("BTF types: %w", err)
	}
	strings, err := subsection(body, order.Uint32(raw[16:]), order.Uint32(raw[20:]))
	if err != nil {
		return nil, fmt.Errorf("BTF strings: %w", err)
	}
	if n := len(strings); n == 0 || strings[0] != 0 || strings[n-1] != 0 {
		return nil, fmt.Errorf("BTF strings: section of %d bytes does not begin and end with NUL", n)
	}

	return &rawBTF{order: order, types: types, strings: strings}, nil
}

// subsection returns length bytes at an offset.
func subsection(b []byte, offset, length uint32) ([]byte, error) {
	if end := uint64(offset) + uint64(length); end > uint64(len(b)) {
		return nil, fmt.Errorf("offset %d and length %d exceed %d bytes", offset, length, len(b))
	}
	return b[offset:][:length:length], nil
}

// records yields all types in ID order, beginning with ID 1. It ends with the
// first error. After it ended without one, every record lies within the type
// section.
func (b *rawBTF) records() iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		id := btf.TypeID(1)
		for rest := b.types; len(rest) > 0; id++ {
			if len(rest) < 12 {
				yield(record{}, fmt.Errorf("BTF type %d: %d bytes are no record", id, len(rest)))
				return
			}

			r := record{b.order, id, rest}
			size := r.size()
			if size < 0 {
				yield(record{}, fmt.Errorf("BTF type %d: unknown kind %d", id, r.kind()))
				return
			}
			if size > len(rest) {
				yield(record{}, fmt.Errorf("BTF type %d: record of %d bytes, %d are left", id, size, len(rest)))
				return
			}

			r.raw, rest = rest[:size:size], rest[size:]
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Limits for what upstream allocates when it decodes a file: a name may be used
// any number of times, types are decoded by recursion. Kernel BTF as a whole has
// fewer types than maxTypes.
const (
	maxNames = 64 << 20 // bytes
	maxTypes = 1 << 17
)

// check walks all records.
func (b *rawBTF) check() error {
	var longest int
	for s := b.strings; len(s) > 0; {
		n := bytes.IndexByte(s, 0)
		longest, s = max(longest, n), s[n+1:]
	}
	count := uint64(longest)*uint64(len(b.types)/8) > maxNames

	var names int
	for r, err := range b.records() {
		if err != nil {
			return err
		}
		if b.count++; b.count > maxTypes {
			return fmt.Errorf("more than %d types", maxTypes)
		}
		if count {
			if names += b.nameBytes(r); names > maxNames {
				return fmt.Errorf("names have more than %d bytes", maxNames)
			}
		}
	}
	return nil
}

// nameBytes is the length in bytes of the names in a record.
func (b *rawBTF) nameBytes(r record) int {
	n := len(b.bytes(r.nameOff()))
	step := 12
	switch r.kind() {
	case recEnum, recFuncProto:
		step = 8
	case recStruct, recUnion, recEnum64:
	default:
		return n
	}
	for i := range r.vlen() {
		n += len(b.bytes(r.u32(12 + step*i)))
	}
	return n
}

// references yields the types that a record refers to.
func (r record) references(yield func(btf.TypeID) bool) {
	at := func(offset int) bool { return yield(btf.TypeID(r.u32(offset))) }
	switch r.kind() {
	case recPtr, recTypedef, recVolatile, recConst, recRestrict, recFunc, recVar, recDeclTag, recTypeTag:
		at(8)
	case recArray:
		_ = at(12) && at(16)
	case recStruct, recUnion:
		for i := 0; i < r.vlen() && at(16+12*i); i++ {
		}
	case recFuncProto:
		ok := at(8)
		for i := 0; i < r.vlen() && ok; i++ {
			ok = at(16 + 8*i)
		}
	case recDatasec:
		for i := 0; i < r.vlen() && at(12+12*i); i++ {
		}
	}
}

// string returns the string at an offset of the string section, and an empty
// one if there is none.
func (b *rawBTF) string(offset uint32) string {
	return string(b.bytes(offset))
}

// bytes is [rawBTF.string] without a copy.
func (b *rawBTF) bytes(offset uint32) []byte {
	if uint64(offset) >= uint64(len(b.strings)) {
		return nil
	}
	s := b.strings[offset:]
	if end := bytes.IndexByte(s, 0); end >= 0 {
		return s[:end]
	}
	return nil
}

// name returns the name of a type.
func (b *rawBTF) name(r record) string { return b.string(r.nameOff()) }

// size is the length of the record in bytes, negative if the kind is unknown.
func (r record) size() int {
	switch n := r.vlen(); r.kind() {
	case recPtr, recFwd, recTypedef, recVolatile, recConst, recRestrict, recFunc, recFloat, recTypeTag:
		return 12
	case recInt, recVar, recDeclTag:
		return 12 + 4
	case recArray:
		return 12 + 12
	case recEnum, recFuncProto:
		return 12 + 8*n
	case recStruct, recUnion, recDatasec, recEnum64:
		return 12 + 12*n
	}
	return -1
}

func (r record) nameOff() uint32 { return r.u32(0) }
func (r record) kind() int       { return int(r.u32(4) >> 24 & 0x1f) }
func (r record) vlen() int       { return int(r.u32(4) & 0xffff) }

// sizeOrType is the size of a type that has one, and else the type it refers to.
func (r record) sizeOrType() uint32 { return r.u32(8) }

// u32 reads at an offset of the record.
func (r record) u32(offset int) uint32 { return r.order.Uint32(r.raw[offset:]) }

// put writes at an offset of the record.
func (r record) put(offset int, value uint32) { r.order.PutUint32(r.raw[offset:], value) }

// putInfo sets kind and vlen. For a FUNC vlen is the linkage. The kind flag is
// cleared.
func (r record) putInfo(kind, vlen int) { r.put(4, uint32(kind)<<24|uint32(vlen)) }

// marshal returns raw BTF with a header of the first version.
func (b *rawBTF) marshal() []byte {
	raw := make([]byte, btfHeaderSize, btfHeaderSize+len(b.types)+len(b.strings))
	b.order.PutUint16(raw, btfMagic)
	raw[2] = 1
	b.order.PutUint32(raw[4:], btfHeaderSize)
	b.order.PutUint32(raw[12:], uint32(len(b.types)))
	b.order.PutUint32(raw[16:], uint32(len(b.types)))
	b.order.PutUint32(raw[20:], uint32(len(b.strings)))
	return append(append(raw, b.types...), b.strings...)
}
