package structops

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/kfunc"
)

// Member is one member of an ops type, with what the shadow has in it.
type Member struct {
	Name string
	// Type as the ops type declares it.
	Type btf.Type
	// Callback is true for a pointer to a function, which a program fills.
	Callback bool
	// Program that fills a callback; empty for NULL.
	Program string
	// Value of any other member, as [Ops.Get] returns it. Nil if the member has
	// a type that Get can't decode.
	Value any
}

// errNoOps is what a method of a nil *Ops returns, which is what indexing
// [Object.Ops] with a wrong name gives. A nil pointer can't know the object:
// [Object.Shadow] lists the names.
var errNoOps = errors.New("no struct_ops map of that name: Object.Ops has those of the object, and Object.Shadow lists them")

// Shadow returns the struct_ops map of a name for editing. It is Ops[name] with
// an error that lists the maps if there is none.
func (o *Object) Shadow(name string) (*Ops, error) {
	if ops := o.Ops[name]; ops != nil {
		return ops, nil
	}
	return nil, fmt.Errorf("no struct_ops map %q, the object has: %s", name, list(o.opsNames()))
}

// Set writes a member, or a part of one, before the object is loaded. The path
// is the name of a member, then .name for each member of a nested struct or
// union and [index] for each element of an array: "limits.slots[2]". The empty
// path is the whole value. Anonymous structs and unions are looked through.
//
//	integer, bitfield   any integer of Go within the range of the type; a _Bool
//	                    also takes a bool
//	enum                an integer, or the name of an enumerator
//	char array          a string with room for its terminating zero
//	array               a slice or array of as many elements
//	struct, union       a map[string]any of some members, or a Go struct of the
//	                    same size, such as bpf2go -type generates
//	data pointer        nil or 0: the kernel takes no other
//
// Members that a map does not name, and blank fields of a Go struct, keep their
// value. If Set returns an error, nothing was changed. Callbacks are set with
// [Ops.SetProgram].
//
// Differs from libbpf: the shadow there (bpf_map__initial_value) is untyped memory.
func (o *Ops) Set(path string, value any) error {
	if o == nil {
		return errNoOps
	}
	f, err := o.field(path)
	if err != nil {
		return err
	}
	edited := bytes.Clone(o.Value)
	c := codec{order: o.order(), buf: edited}
	if err := c.encode(f, value); err != nil {
		return o.errorf("member %q: %w", path, err)
	}
	for _, m := range o.Type.Members {
		if !isPointer(m.Type) || m.BitfieldSize != 0 {
			continue
		}
		f, err := c.whole(o.Type).member(m)
		if err != nil {
			return o.errorf("member %q: %w", m.Name, err)
		}
		if c.uint(f, slotSize*8) != 0 {
			return o.errorf("member %q: pointers have no value here: use SetProgram for a callback, and leave a pointer to data NULL", m.Name)
		}
	}
	o.Value = edited
	return nil
}

// Get reads a member or a part of one. See [Ops.Set] for the path.
//
//	integer, enum, bitfield   int8 to int64 or uint8 to uint64, as the type is; bool for a _Bool
//	char array                string, up to the first zero
//	array                     slice of its elements
//	struct, union             map[string]any of all members
//	data pointer              uint64
//
// What Get returns can be given to [Ops.Set], but for the text of a char array
// that has no terminating zero. Use [As] for a Go struct.
func (o *Ops) Get(path string) (any, error) {
	if o == nil {
		return nil, errNoOps
	}
	f, err := o.field(path)
	if err != nil {
		return nil, err
	}
	v, err := o.codec().decode(f)
	if err != nil {
		return nil, o.errorf("member %q: %w", path, err)
	}
	return v, nil
}

// As reads a member or a part of one, or with the empty path the whole value,
// as a Go type of fixed size such as bpf2go -type generates. The size must be
// that of the member; callbacks and pointers are a uint64 each. [Ops.Set] with
// the empty path writes such a struct back to the same bytes.
func As[T any](o *Ops, path string) (T, error) {
	var v T
	if o == nil {
		return v, errNoOps
	}
	f, err := o.field(path)
	if err != nil {
		return v, err
	}
	if err := o.codec().decodeFixed(f, &v); err != nil {
		return v, o.errorf("member %q: %w", path, err)
	}
	return v, nil
}

// SetProgram makes a program of the object the callback of a member.
//
// The program must be of type struct_ops. All that a program takes is its
// context, so the prototype that is compared with the member's is that of the
// member for which the file has the program; if it has it for none, only the
// result can be compared. What else the program reads from its context is the
// verifier's to check. The program that was there before is not loaded, unless
// another member has it.
//
// Differs from libbpf, which compares no prototypes.
func (o *Ops) SetProgram(member, program string) error {
	i, err := o.callback(member)
	if err != nil {
		return err
	}
	if o.object == nil {
		return o.errorf("member %q: the map belongs to no object, so there is no program %q", member, program)
	}
	prog := o.object.Spec.Programs[program]
	switch {
	case prog == nil:
		return o.errorf("member %q: no program %q, struct_ops programs are: %s", member, program, list(o.object.structOpsPrograms()))
	case prog.Type != ebpf.StructOps:
		return o.errorf("member %q: program %q in section %q has type %s, not struct_ops: set its Type first", member, program, prog.SectionName, prog.Type)
	}
	if err := o.checkProgram(o.Type.Members[i], program, prog); err != nil {
		return o.errorf("member %q: program %q: %w", member, program, err)
	}
	o.Programs[i] = program
	return nil
}

// checkProgram compares the prototypes of a member and of a program. What a
// program takes is its context, so the arguments are those of the member that
// it was written for.
func (o *Ops) checkProgram(m btf.Member, name string, prog *ebpf.ProgramSpec) error {
	proto := prototype(m.Type)
	if origin, ok := o.object.callbacks[name]; ok && !fits(origin.proto, proto) {
		return fmt.Errorf("it is written for %q, and the member is %q",
			kfunc.Declaration(origin.proto, origin.member), kfunc.Declaration(proto, m.Name))
	}
	fn := entryFunc(prog)
	if fn == nil {
		return nil
	}
	if own, ok := fn.Type.(*btf.FuncProto); ok && isVoid(own.Return) && !isVoid(proto.Return) {
		return fmt.Errorf("it is %q and returns nothing, the member is %q", kfunc.Declaration(own, fn.Name), kfunc.Declaration(proto, m.Name))
	}
	return nil
}

// Program returns the name of the program that fills a member, empty if the
// callback is NULL.
func (o *Ops) Program(member string) (string, error) {
	i, err := o.callback(member)
	if err != nil {
		return "", err
	}
	return o.Programs[i], nil
}

// Clear zeroes a member or a part of one. A callback becomes NULL, and its
// program is not loaded unless another member has it.
func (o *Ops) Clear(path string) error {
	if o == nil {
		return errNoOps
	}
	if i := o.index(path); i >= 0 && isCallback(o.Type.Members[i].Type) {
		o.Programs[i] = ""
		return nil
	}
	f, err := o.field(path)
	if err != nil {
		return err
	}
	edited := bytes.Clone(o.Value)
	codec{order: o.order(), buf: edited}.clear(f)
	o.Value = edited
	return nil
}

// Members lists the members of the ops type in its order.
func (o *Ops) Members() []Member {
	if o == nil {
		return nil
	}
	var members []Member
	for i, m := range o.Type.Members {
		member := Member{Name: m.Name, Type: m.Type, Callback: isCallback(m.Type)}
		if member.Callback {
			member.Program = o.Programs[i]
		} else if f, err := o.codec().whole(o.Type).member(m); err == nil {
			// A type that can't be decoded leaves a nil.
			member.Value, _ = o.codec().decode(f)
		}
		members = append(members, member)
	}
	return members
}

// index returns the index of a member of the ops type, -1 if there is none.
func (o *Ops) index(member string) int {
	return slices.IndexFunc(o.Type.Members, func(m btf.Member) bool { return m.Name == member && member != "" })
}

// callback returns the index of a function member.
func (o *Ops) callback(member string) (int, error) {
	if o == nil {
		return 0, errNoOps
	}
	i := o.index(member)
	if i < 0 {
		return 0, o.errorf("struct %s has no member %q, it has: %s", o.Type.Name, member, list(memberNames(o.Type.Members)))
	}
	if !isCallback(o.Type.Members[i].Type) {
		return 0, o.errorf("member %q is %s, not a callback: use Set", member, typeName(o.Type.Members[i].Type))
	}
	return i, nil
}

// field finds what a path names, other than a callback.
func (o *Ops) field(path string) (field, error) {
	if uint64(len(o.Value)) != uint64(o.Type.Size) || len(o.Programs) != len(o.Type.Members) {
		return field{}, o.errorf("value has %d bytes and %d slots, struct %s has %d and %d",
			len(o.Value), len(o.Programs), o.Type.Name, o.Type.Size, len(o.Type.Members))
	}
	if i := o.index(path); i >= 0 && isCallback(o.Type.Members[i].Type) {
		return field{}, o.errorf("member %q is a callback: use Program, SetProgram or Clear", path)
	}
	f, err := o.codec().whole(o.Type).find(path)
	if err != nil {
		return field{}, o.errorf("%w", err)
	}
	return f, nil
}

func (o *Ops) codec() codec { return codec{order: o.order(), buf: o.Value} }

// order is the byte order of the value.
func (o *Ops) order() binary.ByteOrder {
	if o.object != nil && o.object.Spec.ByteOrder != nil {
		return o.object.Spec.ByteOrder
	}
	return hostOrder()
}

func (o *Ops) errorf(format string, args ...any) error {
	return fmt.Errorf("map %q: %w", o.Name, fmt.Errorf(format, args...))
}

// structOpsPrograms returns the names of the object's programs that can be
// callbacks.
func (o *Object) structOpsPrograms() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(o.Spec.Programs)) {
		if o.Spec.Programs[name].Type == ebpf.StructOps {
			names = append(names, name)
		}
	}
	return names
}

// list joins names for an error.
func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
