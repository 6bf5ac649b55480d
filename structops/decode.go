package structops

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"

	"github.com/cilium/ebpf/btf"
)

// decode returns a field as a Go value. See [Ops.Get] for the types.
func (c codec) decode(f field) (any, error) {
	switch t := btf.UnderlyingType(f.typ).(type) {
	case *btf.Int, *btf.Enum, *btf.Pointer, *btf.Float:
		typ, err := goType(f.typ, 0)
		if err != nil {
			return nil, err
		}
		return c.scalar(f, typ), nil
	case *btf.Array:
		return c.decodeArray(f, t)
	case *btf.Struct, *btf.Union:
		values := make(map[string]any)
		return values, c.decodeMembers(f, values)
	default:
		return nil, fmt.Errorf("%s has no value", typeName(t))
	}
}

// scalar reads a field as a Go type that [goType] has chosen.
func (c codec) scalar(f field, typ reflect.Type) any {
	v := reflect.New(typ).Elem()
	if typ.Kind() == reflect.Array { // wider than any integer of Go
		reflect.Copy(v, reflect.ValueOf(c.bytes(f)))
		return v.Interface()
	}
	bits := f.width()
	n := c.uint(f, bits)
	switch {
	case v.CanInt():
		v.SetInt(int64(n<<(64-bits)) >> (64 - bits))
	case v.CanUint():
		v.SetUint(n)
	case v.Kind() == reflect.Bool:
		v.SetBool(n != 0)
	case v.Kind() == reflect.Float32:
		v.SetFloat(float64(math.Float32frombits(uint32(n))))
	default:
		v.SetFloat(math.Float64frombits(n))
	}
	return v.Interface()
}

func (c codec) decodeArray(f field, arr *btf.Array) (any, error) {
	typ, err := goType(arr, f.depth)
	if err != nil {
		return nil, err
	}
	if typ.Kind() == reflect.String {
		text, _, _ := bytes.Cut(c.bytes(f), []byte{0})
		return string(text), nil
	}
	// The field is inside the value, so it bounds the number of elements.
	slice := reflect.MakeSlice(typ, 0, 0)
	for i := range arr.Nelems {
		elem, err := f.element(arr, i)
		if err != nil {
			return nil, err
		}
		v, err := c.decode(elem)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		slice = reflect.Append(slice, reflect.ValueOf(v))
	}
	return slice.Interface(), nil
}

// decodeMembers adds the members of a struct or union to a map, those of
// anonymous ones as if they were its own.
func (c codec) decodeMembers(f field, values map[string]any) error {
	for _, m := range f.members() {
		inner, err := f.member(m)
		if err != nil {
			return fmt.Errorf("member %q: %w", m.Name, err)
		}
		if m.Name == "" {
			if err := c.decodeMembers(inner, values); err != nil {
				return err
			}
			continue
		}
		v, err := c.decode(inner)
		if err != nil {
			return fmt.Errorf("member %q: %w", m.Name, err)
		}
		values[m.Name] = v
	}
	return nil
}

// decodeFixed reads a field into a Go value of fixed size.
func (c codec) decodeFixed(f field, to any) error {
	if f.bits != 0 {
		return fmt.Errorf("a bitfield is no Go value of its own: use Get")
	}
	size := binary.Size(to)
	if size < 0 {
		return fmt.Errorf("%T points to no type of fixed size", to)
	}
	src := c.bytes(f)
	if size != len(src) {
		return fmt.Errorf("%T points to %d bytes, %s has %d", to, size, typeName(f.typ), len(src))
	}
	_, err := binary.Decode(src, c.order, to)
	return err
}

// goType returns the Go type that values of a type are decoded to.
func goType(typ btf.Type, depth int) (reflect.Type, error) {
	if depth > maxFieldDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxFieldDepth)
	}
	switch t := btf.UnderlyingType(typ).(type) {
	case *btf.Int:
		switch {
		case t.Encoding == btf.Bool && t.Size == 1:
			return reflect.TypeFor[bool](), nil
		case t.Size > 8:
			return reflect.ArrayOf(int(t.Size), reflect.TypeFor[byte]()), nil
		}
		return integer(t.Size, t.Encoding == btf.Signed)
	case *btf.Enum:
		return integer(t.Size, t.Signed)
	case *btf.Pointer:
		return reflect.TypeFor[uint64](), nil
	case *btf.Float:
		switch t.Size {
		case 4:
			return reflect.TypeFor[float32](), nil
		case 8:
			return reflect.TypeFor[float64](), nil
		}
	case *btf.Array:
		if isChar(t.Type) {
			return reflect.TypeFor[string](), nil
		}
		elem, err := goType(t.Type, depth+1)
		if err != nil {
			return nil, err
		}
		return reflect.SliceOf(elem), nil
	case *btf.Struct, *btf.Union:
		return reflect.TypeFor[map[string]any](), nil
	}
	return nil, fmt.Errorf("%s has no value", typeName(typ))
}

// integer returns the integer of Go with a size in bytes.
func integer(size uint32, signed bool) (reflect.Type, error) {
	i := map[uint32]int{1: 0, 2: 1, 4: 2, 8: 3}
	at, ok := i[size]
	if !ok {
		return nil, fmt.Errorf("an integer of %d bytes", size)
	}
	if signed {
		return []reflect.Type{reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64]()}[at], nil
	}
	return []reflect.Type{reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64]()}[at], nil
}
