package structops

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/cilium/ebpf/btf"
)

// codec turns Go values into the bytes of a BTF type and back.
type codec struct {
	order binary.ByteOrder
	buf   []byte
}

// whole is the field of all bytes.
func (c codec) whole(typ btf.Type) field {
	return field{typ: typ, end: uint64(len(c.buf)) * 8}
}

// bytes are those of a field that is no bitfield.
func (c codec) bytes(f field) []byte { return c.buf[f.offset/8 : f.end/8] }

// clear zeroes a field.
func (c codec) clear(f field) {
	if f.bits != 0 {
		c.putUint(f, f.bits, 0)
		return
	}
	clear(c.bytes(f))
}

// encode writes a Go value. After an error the bytes are undefined.
func (c codec) encode(f field, value any) error {
	switch t := btf.UnderlyingType(f.typ).(type) {
	case *btf.Int:
		return c.encodeInt(f, t, value)
	case *btf.Enum:
		return c.encodeEnum(f, t, value)
	case *btf.Pointer:
		if n, err := toBits(reflect.ValueOf(value), 64, false); value != nil && (err != nil || n != 0) {
			return errors.New("a pointer can only be nil: a struct_ops map holds callbacks, but no pointers to data")
		}
		c.clear(f)
		return nil
	case *btf.Array:
		return c.encodeArray(f, t, value)
	case *btf.Struct:
		return c.encodeStruct(f, value)
	case *btf.Union:
		return c.encodeUnion(f, value)
	case *btf.Float:
		return c.encodeFloat(f, value)
	default:
		return fmt.Errorf("%s has no value", typeName(t))
	}
}

func (c codec) encodeInt(f field, t *btf.Int, value any) error {
	bits := f.width()
	if bits > 64 {
		return c.encodeFixed(f, value)
	}
	v := reflect.ValueOf(value)
	if t.Encoding == btf.Bool {
		if v.Kind() == reflect.Bool {
			c.putUint(f, bits, boolBit(v.Bool()))
			return nil
		}
		bits = 1
	}
	n, err := toBits(v, bits, t.Encoding == btf.Signed)
	if err != nil {
		return err
	}
	c.putUint(f, f.width(), n)
	return nil
}

func (c codec) encodeEnum(f field, t *btf.Enum, value any) error {
	if v := reflect.ValueOf(value); v.Kind() == reflect.String {
		for _, e := range t.Values {
			if e.Name == v.String() {
				return c.putEnum(f, t, e)
			}
		}
		var names []string
		for _, e := range t.Values {
			names = append(names, e.Name)
		}
		return fmt.Errorf("enum %s has no enumerator %q, it has: %s", t.Name, v.String(), list(names))
	}
	n, err := toBits(reflect.ValueOf(value), f.width(), t.Signed)
	if err != nil {
		return err
	}
	c.putUint(f, f.width(), n)
	return nil
}

// putEnum writes an enumerator, if a bitfield has room for it.
func (c codec) putEnum(f field, t *btf.Enum, e btf.EnumValue) error {
	v := reflect.ValueOf(e.Value)
	if t.Signed {
		v = reflect.ValueOf(int64(e.Value))
	}
	n, err := toBits(v, f.width(), t.Signed)
	if err != nil {
		return fmt.Errorf("enumerator %q: %w", e.Name, err)
	}
	c.putUint(f, f.width(), n)
	return nil
}

func (c codec) encodeArray(f field, arr *btf.Array, value any) error {
	v := reflect.ValueOf(value)
	if v.Kind() == reflect.String {
		return c.encodeString(f, arr, v.String())
	}
	if v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
		return fmt.Errorf("%T does not fit an array", value)
	}
	if uint64(v.Len()) != uint64(arr.Nelems) {
		return fmt.Errorf("%d elements, the array has %d", v.Len(), arr.Nelems)
	}
	for i := range v.Len() {
		elem, err := f.element(arr, uint32(i))
		if err == nil {
			err = c.encode(elem, v.Index(i).Interface())
		}
		if err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

// encodeString writes a string and fills the rest with zeroes. The last
// character must be one, because the kernel refuses names without.
func (c codec) encodeString(f field, arr *btf.Array, s string) error {
	if !isChar(arr.Type) {
		return fmt.Errorf("a string fits an array of char only, this one is of %s", typeName(arr.Type))
	}
	dst := c.bytes(f)
	if len(s) >= len(dst) {
		return fmt.Errorf("string of %d bytes, the array has %d with the terminating zero", len(s), len(dst))
	}
	if slices.Contains([]byte(s), 0) {
		return fmt.Errorf("string %q contains a zero byte", s)
	}
	clear(dst)
	copy(dst, s)
	return nil
}

func (c codec) encodeStruct(f field, value any) error {
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.Map {
		return c.encodeFixed(f, value)
	}
	given, err := f.given(v)
	if err != nil {
		return err
	}
	for _, g := range given {
		if err := c.encode(g.field, g.value); err != nil {
			return fmt.Errorf("member %q: %w", g.name, err)
		}
	}
	return nil
}

// encodeUnion writes members over each other, so they must agree.
func (c codec) encodeUnion(f field, value any) error {
	if err := c.encodeStruct(f, value); err != nil {
		return err
	}
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.Map || v.Len() < 2 {
		return nil
	}
	given, err := f.given(v)
	if err != nil {
		return err
	}
	for _, g := range given {
		again := codec{order: c.order, buf: slices.Clone(c.buf)}
		if err := again.encode(g.field, g.value); err != nil {
			return fmt.Errorf("member %q: %w", g.name, err)
		}
		if !slices.Equal(c.buf, again.buf) {
			return fmt.Errorf("member %q of the union has another value than those after it: give one", g.name)
		}
	}
	return nil
}

// givenMember is a member of a struct that a map has a value for.
type givenMember struct {
	name  string
	field field
	value any
}

// given sorts the entries of a map by the order of their members.
func (f field) given(v reflect.Value) ([]givenMember, error) {
	if v.Type().Key().Kind() != reflect.String {
		return nil, fmt.Errorf("%s: the keys of a map are names of members", v.Type())
	}
	values := make(map[string]any, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		values[iter.Key().String()] = iter.Value().Interface()
	}
	var given []givenMember
	for _, name := range memberNames(f.members()) {
		value, ok := values[name]
		if !ok {
			continue
		}
		delete(values, name)
		member, err := f.named(name)
		if err != nil {
			return nil, fmt.Errorf("member %q: %w", name, err)
		}
		given = append(given, givenMember{name, member, value})
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		_, err := f.named(name)
		return nil, err
	}
	return given, nil
}

// encodeFixed writes a Go value of fixed size. Its blank fields are padding,
// and what is there stays.
func (c codec) encodeFixed(f field, value any) error {
	dst := c.bytes(f)
	size := binary.Size(value)
	if size < 0 {
		return fmt.Errorf("%T has no fixed size and is no map of members", value)
	}
	if size != len(dst) {
		return fmt.Errorf("%T has %d bytes, %s has %d", value, size, typeName(f.typ), len(dst))
	}
	encoded, err := binary.Append(nil, c.order, value)
	if err != nil {
		return err
	}
	named, err := namedBytes(reflect.TypeOf(value), size, c.order)
	if err != nil {
		return err
	}
	for i := range dst {
		if named[i] != 0 {
			dst[i] = encoded[i]
		}
	}
	return nil
}

// namedBytes tells which bytes of a Go type belong to fields with a name: those
// that do not read all ones come back as zeroes.
func namedBytes(typ reflect.Type, size int, order binary.ByteOrder) ([]byte, error) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct && typ.Kind() != reflect.Array {
		return slices.Repeat([]byte{1}, size), nil
	}
	ones := reflect.New(typ)
	if _, err := binary.Decode(slices.Repeat([]byte{0xff}, size), order, ones.Interface()); err != nil {
		return nil, err
	}
	return binary.Append(nil, order, ones.Interface())
}

func (c codec) encodeFloat(f field, value any) error {
	v := reflect.ValueOf(value)
	if !v.CanFloat() {
		return fmt.Errorf("%T is no float", value)
	}
	switch f.width() {
	case 32:
		c.putUint(f, 32, uint64(math.Float32bits(float32(v.Float()))))
	case 64:
		c.putUint(f, 64, math.Float64bits(v.Float()))
	default:
		return fmt.Errorf("a float of %d bits", f.width())
	}
	return nil
}

// width is the size of a field in bits.
func (f field) width() uint32 { return uint32(f.end - f.offset) }

// putUint writes the lowest bits of an integer. Bitfields need not be at a byte.
func (c codec) putUint(f field, bits uint32, n uint64) {
	for i := range uint64(bits) {
		at, mask, bit := c.bit(f.offset, uint64(bits), i)
		c.buf[at] &^= mask
		if n>>bit&1 != 0 {
			c.buf[at] |= mask
		}
	}
}

// uint reads an integer of so many bits.
func (c codec) uint(f field, bits uint32) uint64 {
	var n uint64
	for i := range uint64(bits) {
		at, mask, bit := c.bit(f.offset, uint64(bits), i)
		if c.buf[at]&mask != 0 {
			n |= 1 << bit
		}
	}
	return n
}

// bit returns where bit i after an offset is, and its place in the integer: in
// little endian both count from the least significant bit, in big endian from
// the most significant one.
func (c codec) bit(offset, bits, i uint64) (at uint64, mask byte, bit uint64) {
	at = (offset + i) / 8
	if c.order == binary.BigEndian {
		return at, 0x80 >> ((offset + i) % 8), bits - 1 - i
	}
	return at, 1 << ((offset + i) % 8), i
}

// toBits checks that an integer of Go fits into so many bits.
func toBits(v reflect.Value, bits uint32, signed bool) (uint64, error) {
	var negative bool
	var n uint64
	switch {
	case v.CanInt():
		negative, n = v.Int() < 0, uint64(v.Int())
	case v.CanUint():
		n = v.Uint()
	case !v.IsValid():
		return 0, errors.New("nil is no integer")
	default:
		return 0, fmt.Errorf("%s is no integer", v.Type())
	}
	limit := uint64(math.MaxUint64) >> (64 - bits) // the largest value
	if signed {
		limit >>= 1
	}
	switch {
	case negative && !signed, negative && ^n > limit, !negative && n > limit:
		low := int64(0)
		if signed {
			low = -int64(limit) - 1
		}
		return 0, fmt.Errorf("%v is out of range, %d to %d", v, low, limit)
	}
	return n, nil
}

func boolBit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// isChar tells whether a type is char, which makes an array of it a string.
func isChar(typ btf.Type) bool {
	i, ok := btf.As[*btf.Int](typ)
	return ok && i.Size == 1 && (i.Name == "char" || i.Encoding == btf.Char)
}

func isPointer(typ btf.Type) bool {
	_, ok := btf.As[*btf.Pointer](typ)
	return ok
}

func isVoid(typ btf.Type) bool {
	_, ok := btf.As[*btf.Void](typ)
	return ok
}
