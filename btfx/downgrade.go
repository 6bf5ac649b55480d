package btfx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"

	"github.com/cilium/ebpf/btf"
)

// Features are what BPF_BTF_LOAD of a kernel accepts, beyond what upstream's
// [btf.KernelMarshalOptions] take care of: linkage, decl tags, type tags and
// ENUM64.
type Features struct {
	Func       bool // FUNC and FUNC_PROTO, Linux 5.0 (2667a2626f4d)
	Datasec    bool // VAR and DATASEC, Linux 5.2 (f063c889c945)
	Float      bool // FLOAT, Linux 5.13 (b1828f0b0482)
	AnySection bool // names of DATASECs such as ?.data, Linux 6.9
}

// ProbeFeatures asks the running kernel. Each call loads a small BTF for each
// feature.
//
// Mirrors the BTF features of libbpf kernel_supports.
func ProbeFeatures() (Features, error) {
	number := &btf.Int{Name: "int", Size: 4}
	datasec := func(name string) btf.Type {
		v := &btf.Var{Name: "a", Type: number}
		return &btf.Datasec{Name: name, Size: 4, Vars: []btf.VarSecinfo{{Type: v, Size: 4}}}
	}

	var f Features
	for _, probe := range []struct {
		feature *bool
		typ     btf.Type
	}{
		{&f.Func, &btf.Func{Name: "a", Type: &btf.FuncProto{Return: number}}},
		{&f.Datasec, datasec(".data")},
		{&f.Float, &btf.Float{Name: "float", Size: 4}},
		{&f.AnySection, datasec("?.data")},
	} {
		b, err := btf.NewBuilder([]btf.Type{probe.typ}, nil)
		if err != nil {
			return Features{}, err
		}
		raw, err := b.Marshal(nil, nil)
		if err != nil {
			return Features{}, err
		}
		handle, err := btf.NewHandleFromRawBTF(raw)
		if err != nil && !errors.Is(err, syscall.EINVAL) {
			return Features{}, fmt.Errorf("probe %s: %w", probe.typ, err)
		}
		handle.Close()
		*probe.feature = err == nil
	}
	return f, nil
}

// Downgrade returns raw BTF in which types that a kernel doesn't know are
// replaced by others. Type IDs stay. The BTF may have either byte order, and is
// not changed.
//
//   - FLOAT becomes an anonymous STRUCT of the same size.
//   - VAR becomes an INT of 1 byte, DATASEC a STRUCT with a member for each
//     variable.
//   - FUNC_PROTO becomes an ENUM with a value for each parameter, FUNC a TYPEDEF
//     of it.
//   - Characters of a DATASEC's name that old kernels refuse, such as ?, become _.
//   - A layout section is left out in any case: it is there for readers who
//     don't know all kinds, and no kernel needs it.
//
// Mirrors libbpf bpf_object__sanitize_btf. Differs from libbpf: no string is changed in
// place, since several types may have it as their name; and parameters
// without a name get one, since values of an ENUM have to have it.
func Downgrade(raw []byte, f Features) ([]byte, error) {
	e, err := newEditor(raw)
	if err != nil {
		return nil, err
	}
	for _, r := range e.records[1:] {
		switch kind := r.kind(); {
		case kind == recFloat && !f.Float:
			r.put(0, 0)
			r.putInfo(recStruct, 0)
		case kind == recVar && !f.Datasec:
			// 1 byte fits into every DATASEC.
			r.putInfo(recInt, 0)
			r.put(8, 1)
			r.put(12, 8)
		case kind == recDatasec && !f.Datasec:
			if err := e.datasecToStruct(r); err != nil {
				return nil, err
			}
		case kind == recDatasec && !f.AnySection:
			e.restrictName(r, ".")
		case kind == recFuncProto && !f.Func:
			e.protoToEnum(r)
		case kind == recFunc && !f.Func:
			r.putInfo(recTypedef, 0)
		}
	}
	return e.rawBTF.marshal(), nil
}

// datasecToStruct makes a DATASEC a STRUCT. The entries have the size of members.
func (e *editor) datasecToStruct(r record) error {
	name := e.name(r)
	e.restrictName(r, "")
	r.putInfo(recStruct, r.vlen())
	for i := range r.vlen() {
		id, offset := r.u32(12+12*i), r.u32(16+12*i)
		if offset > math.MaxUint32/8 {
			return fmt.Errorf("DATASEC %q: offset %d is too large for a member of a STRUCT", name, offset)
		}
		r.put(12+12*i, e.at(id).nameOff())
		r.put(16+12*i, id)
		r.put(20+12*i, 8*offset)
	}
	return nil
}

// protoToEnum makes a FUNC_PROTO an ENUM. Parameters have the size of values.
func (e *editor) protoToEnum(r record) {
	r.putInfo(recEnum, r.vlen())
	r.put(8, 4) // bytes; the only size before ENUM64
	for i := range r.vlen() {
		if r.u32(12+8*i) == 0 {
			r.put(12+8*i, e.addString(fmt.Sprintf("arg%d", i)))
		}
	}
}

// restrictName leaves only letters, digits, _ and some more characters in a
// name.
func (e *editor) restrictName(r record, more string) {
	name := e.name(r)
	legal := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', strings.ContainsRune(more, c):
			return c
		}
		return '_'
	}, name)
	if legal != name {
		r.put(0, e.addString(legal))
	}
}

// LoadBTF loads the types of a builder into the kernel. The caller closes the
// handle.
//
// Only if the kernel refuses them is it asked for its [Features] and for those of
// [btf.KernelMarshalOptions]; it gets a downgraded BTF then, unless that is no
// different.
//
// Closes the gap that [btf.NewHandle] of cilium/ebpf v0.22.0 sends FLOAT, VAR,
// DATASEC and all their names as they are.
func LoadBTF(b *btf.Builder) (*btf.Handle, error) {
	raw, err := b.Marshal(nil, &btf.MarshalOptions{Order: binary.NativeEndian, PreventNoTypeFound: true})
	if err != nil {
		return nil, err
	}
	handle, refused := btf.NewHandleFromRawBTF(raw)
	if refused == nil || !errors.Is(refused, syscall.EINVAL) {
		return handle, refused
	}

	lower, err := marshalForKernel(b)
	if err != nil {
		return nil, errors.Join(refused, err)
	}
	if bytes.Equal(lower, raw) {
		return nil, refused
	}
	return btf.NewHandleFromRawBTF(lower)
}

// marshalForKernel makes BTF of what the running kernel knows.
func marshalForKernel(b *btf.Builder) ([]byte, error) {
	raw, err := b.Marshal(nil, btf.KernelMarshalOptions())
	if err != nil {
		return nil, err
	}
	features, err := ProbeFeatures()
	if err != nil {
		return nil, err
	}
	return Downgrade(raw, features)
}
