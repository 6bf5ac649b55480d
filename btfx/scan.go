package btfx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/cilium/ebpf/btf"
)

// kernelBTF is one BTF object: vmlinux, or the types and strings that a module
// adds to it. Nothing is copied out of the raw bytes, and but for the header
// nothing in them is trusted.
type kernelBTF struct {
	module string     // empty for vmlinux
	id     btf.ID     // of a module of the running kernel
	base   *kernelBTF // vmlinux; nil in vmlinux itself

	raw            []byte // nil while a module hasn't been read
	order          binary.ByteOrder
	swapped        bool // order is big endian
	types, strings []byte
	firstID        uint32 // ID of the first type
	firstName      uint32 // name offset of the first byte of strings

	// Filled by scan.
	count       uint32         // number of types
	checkpoints []uint32       // offset in types of each 16th record
	names       map[uint32]int // name offset to index of a wanted name
	matches     [][]match      // by index of the wanted name, in ID order
}

// match is a type that has a wanted essential name.
type match struct {
	id   uint32
	kind Kind
	name uint32 // name offset
}

const (
	recordLen = 12 // struct btf_type

	// Records between two checkpoints: a type is found in 8 steps on average,
	// and the checkpoints of vmlinux take 40 KiB.
	checkpointStep = 16
)

// layouts holds the length in bytes of a record by kind: a fixed part, and
// a part for each of its vlen entries. Kinds that don't exist have none.
var layouts = [32]struct{ fixed, each uint32 }{
	recInt:       {recordLen + 4, 0},
	recPtr:       {recordLen, 0},
	recArray:     {recordLen + 12, 0},
	recStruct:    {recordLen, 12},
	recUnion:     {recordLen, 12},
	recEnum:      {recordLen, 8},
	recFwd:       {recordLen, 0},
	recTypedef:   {recordLen, 0},
	recVolatile:  {recordLen, 0},
	recConst:     {recordLen, 0},
	recRestrict:  {recordLen, 0},
	recFunc:      {recordLen, 0},
	recFuncProto: {recordLen, 8},
	recVar:       {recordLen + 4, 0},
	recDatasec:   {recordLen, 12},
	recFloat:     {recordLen, 0},
	recDeclTag:   {recordLen + 4, 0},
	recTypeTag:   {recordLen, 0},
	recEnum64:    {recordLen, 12},
}

// newKernelBTF checks the header of raw BTF and finds its sections. base is nil
// for vmlinux; for a module it is vmlinux, which must have been scanned.
func newKernelBTF(module string, raw []byte, base *kernelBTF) (*kernelBTF, error) {
	b := &kernelBTF{module: module, base: base}
	if err := b.open(raw); err != nil {
		return nil, b.errorf(err)
	}
	return b, nil
}

func (b *kernelBTF) open(raw []byte) error {
	if len(raw) < btfHeaderSize {
		return fmt.Errorf("BTF header: needs %d bytes, has %d", btfHeaderSize, len(raw))
	}
	var order binary.ByteOrder = binary.LittleEndian
	if order.Uint16(raw) != btfMagic {
		order = binary.BigEndian
	}
	if order.Uint16(raw) != btfMagic {
		return errors.New("BTF header: wrong magic")
	}
	if version := raw[2]; version != 1 {
		return fmt.Errorf("BTF header: version %d, known is 1", version)
	}
	length := order.Uint32(raw[4:])
	if length < btfHeaderSize || uint64(length) > uint64(len(raw)) {
		return fmt.Errorf("BTF header: length %d out of range", length)
	}
	types, err := subsection(raw[length:], order.Uint32(raw[8:]), order.Uint32(raw[12:]))
	if err != nil {
		return fmt.Errorf("BTF types: %w", err)
	}
	strings, err := subsection(raw[length:], order.Uint32(raw[16:]), order.Uint32(raw[20:]))
	if err != nil {
		return fmt.Errorf("BTF strings: %w", err)
	}
	if len(strings) > 0 && strings[len(strings)-1] != 0 {
		return errors.New("BTF strings: not terminated")
	}

	if b.base == nil {
		if len(strings) == 0 || strings[0] != 0 {
			return errors.New("BTF strings: first string not empty")
		}
		b.firstID = 1
	} else {
		if b.base.order != order {
			return fmt.Errorf("BTF byte order: %v, vmlinux has %v", order, b.base.order)
		}
		b.firstID = b.base.firstID + b.base.count
		b.firstName = uint32(len(b.base.strings))
	}
	b.raw, b.order, b.swapped = raw, order, order == binary.BigEndian
	b.types, b.strings = types, strings
	b.names = make(map[uint32]int)
	return nil
}

// errorf says which BTF object an error is about.
func (b *kernelBTF) errorf(err error) error {
	if b.module == "" {
		return fmt.Errorf("vmlinux: %w", err)
	}
	return fmt.Errorf("module %q: %w", b.module, err)
}

// u32 reads a word of a record.
func (b *kernelBTF) u32(raw []byte) uint32 {
	v := binary.LittleEndian.Uint32(raw)
	if b.swapped {
		v = bits.ReverseBytes32(v)
	}
	return v
}

// owner returns the BTF that holds a type: b, or its base.
func (b *kernelBTF) owner(id uint32) *kernelBTF {
	if b.base != nil && id < b.firstID {
		return b.base
	}
	return b
}

// name returns the string at a name offset.
func (b *kernelBTF) name(offset uint32) ([]byte, error) {
	if b.base != nil && offset < b.firstName {
		return b.base.name(offset)
	}
	start := offset - b.firstName
	if uint64(start) >= uint64(len(b.strings)) || start > 0 && b.strings[start-1] != 0 {
		return nil, fmt.Errorf("BTF strings: none begins at offset %d", offset)
	}
	s := b.strings[start:]
	return s[:bytes.IndexByte(s, 0)], nil
}

// record returns the record of a type, complete with its entries. b is the
// type's owner and has been scanned.
func (b *kernelBTF) record(id uint32) ([]byte, error) {
	n := id - b.firstID
	if id < b.firstID || n >= b.count {
		return nil, fmt.Errorf("type ID %d: %w", id, btf.ErrNotFound)
	}
	rest := b.types[b.checkpoints[n/checkpointStep]:]
	for range n % checkpointStep {
		rest = rest[recordSize(b.u32(rest[4:])):]
	}
	return rest[:recordSize(b.u32(rest[4:]))], nil
}

// recordSize returns the length of a record in bytes, from its info word.
func recordSize(info uint32) uint32 {
	l := &layouts[recordKind(info)]
	return l.fixed + l.each*(info&0xffff)
}

// recordKind returns the kind of a record, from its info word.
func recordKind(info uint32) Kind { return Kind(info >> 24 & 31) }

// scan looks for the types of those wanted essential names that no earlier
// scan looked for: first for the names in the string table, then for the
// records that bear one of the names found. So all bytes are read once, in
// order, and no type's name is compared. As a module's types may have their
// names in vmlinux, vmlinux is scanned before its modules.
//
// The first scan also checks that records fill the type section.
func (b *kernelBTF) scan(wanted []string) error {
	done := len(b.matches)
	if b.checkpoints != nil && done == len(wanted) {
		return nil
	}
	b.findNames(wanted, done)
	b.matches = append(b.matches, make([][]match, len(wanted)-done)...)

	offsets, found := new(bitmap), false
	for holder := b; holder != nil; holder = holder.base {
		for offset, index := range holder.names {
			if index >= done {
				offsets.set(hashOffset(offset))
				found = true
			}
		}
	}
	if b.checkpoints != nil && !found {
		return nil
	}
	if err := b.findRecords(offsets, done); err != nil {
		// No record can be found any more.
		b.checkpoints, b.count, b.matches = nil, 0, nil
		clear(b.names)
		return b.errorf(err)
	}
	return nil
}

// findNames enters the strings in b.names whose essential name is one of
// wanted[done:].
func (b *kernelBTF) findNames(wanted []string, done int) {
	if done == len(wanted) {
		return
	}
	indices := make(map[string]int, len(wanted)-done)
	digests := new(bitmap)
	for i, name := range wanted[done:] {
		indices[name] = done + i
		digests.set(hashName([]byte(name)))
	}
	enter := func(start int, name string) {
		if index, ok := indices[name]; ok && name != "" {
			b.names[b.firstName+uint32(start)] = index
		}
	}

	for start := 0; start < len(b.strings); {
		n := bytes.IndexByte(b.strings[start:], 0)
		s := b.strings[start:][:n]
		if digests.has(hashName(s)) && EssentialName(string(s)) == string(s) {
			enter(start, string(s))
		}
		start += n + 1
	}

	// Flavors are rare, a search for their separator is quick.
	for from := 0; ; {
		i := bytes.Index(b.strings[from:], []byte("___"))
		if i < 0 {
			return
		}
		start := bytes.LastIndexByte(b.strings[:from+i], 0) + 1
		s := b.strings[start:]
		s = s[:bytes.IndexByte(s, 0)]
		if essential := EssentialName(string(s)); essential != string(s) {
			enter(start, essential)
		}
		from = start + len(s)
	}
}

// findRecords goes through the type section and enters the types in b.matches
// whose name offset is one of offsets and belongs to a wanted name from done on.
func (b *kernelBTF) findRecords(offsets *bitmap, done int) error {
	first := b.checkpoints == nil
	if first {
		// Records of vmlinux are 20 bytes long on average.
		b.checkpoints = make([]uint32, 0, len(b.types)/(18*checkpointStep)+1)
	}
	n := uint32(0)
	for rest := b.types; len(rest) > 0; n++ {
		if len(rest) < recordLen {
			return fmt.Errorf("BTF types: type ID %d: truncated", b.firstID+n)
		}
		info := b.u32(rest[4:])
		size := recordSize(info)
		if size == 0 {
			return fmt.Errorf("BTF types: type ID %d: unknown kind %d", b.firstID+n, info>>24&31)
		}
		if uint64(size) > uint64(len(rest)) {
			return fmt.Errorf("BTF types: type ID %d: truncated", b.firstID+n)
		}
		if first && n%checkpointStep == 0 {
			b.checkpoints = append(b.checkpoints, uint32(len(b.types)-len(rest)))
		}
		if name := b.u32(rest); offsets.has(hashOffset(name)) {
			if index, ok := b.wantedName(name); ok && index >= done {
				b.matches[index] = append(b.matches[index], match{b.firstID + n, recordKind(info), name})
			}
		}
		rest = rest[size:]
	}
	b.count = n
	return nil
}

// wantedName returns the index of the wanted name at a name offset.
func (b *kernelBTF) wantedName(offset uint32) (int, bool) {
	if b.base != nil && offset < b.firstName {
		index, ok := b.base.names[offset]
		return index, ok
	}
	index, ok := b.names[offset]
	return index, ok
}

// bitmap is a set of hashes of 16 bits.
type bitmap [1024]uint64

func (m *bitmap) set(hash uint16)      { m[hash>>6] |= 1 << (hash & 63) }
func (m *bitmap) has(hash uint16) bool { return m[hash>>6]&(1<<(hash&63)) != 0 }

func hashOffset(offset uint32) uint16 { return uint16(offset * 0x9e3779b1 >> 16) }

// hashName hashes the length of a name and its last eight bytes: kernel names
// rather begin than end alike.
func hashName(s []byte) uint16 {
	n := len(s)
	if n < 8 {
		return hashShort(s)
	}
	return uint16((binary.LittleEndian.Uint64(s[n-8:]) ^ uint64(n)) * 0x9e3779b97f4a7c15 >> 48)
}

func hashShort(s []byte) uint16 {
	var padded [8]byte
	copy(padded[:], s)
	return uint16(binary.LittleEndian.Uint64(padded[:]) * 0x9e3779b97f4a7c15 >> 48)
}
