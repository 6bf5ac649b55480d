package btfx

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf/btf"
)

// extraction is a small BTF with some types of a kernel and what they refer to.
//
// What is reached by value is whole. A named struct or union that is only
// reached through a pointer is cut: it keeps kind, name and size, but has no
// members. Declaration tags are left behind.
type extraction struct {
	order binary.ByteOrder
	ids   map[source]uint32 // IDs in the small BTF
	nodes []node            // by ID in the small BTF, from ID 1 on
	spec  *btf.Spec
}

// source is where a type comes from: the BTF that holds it, and its ID there.
type source struct {
	*kernelBTF
	id uint32
}

// node is a type of an extraction.
type node struct {
	source
	whole bool
}

// maxExtracted bounds the types of an extraction. The reader recurses into
// types, so this bounds its depth as well. The largest real use, a scheduler
// that relocates against task_struct and rq, takes a few thousand types.
const maxExtracted = 1 << 16

// extract makes an extraction in which the roots are whole.
func extract(order binary.ByteOrder, roots []source) (*extraction, error) {
	x := &extraction{order: order, ids: make(map[source]uint32, 4*len(roots))}
	if err := x.collect(roots); err != nil {
		return nil, err
	}
	raw, err := x.marshal()
	if err != nil {
		return nil, err
	}
	if x.spec, err = btf.LoadSplitSpecFromReader(bytes.NewReader(raw), nil); err != nil {
		return nil, err
	}
	return x, nil
}

// collect finds the types of the extraction.
func (x *extraction) collect(roots []source) error {
	// Types whose references are to be followed, once more if a type turns out
	// to be whole.
	var pending []uint32
	reach := func(s source, whole bool) {
		id, ok := x.ids[s]
		if s.id == 0 || ok && (!whole || x.nodes[id-1].whole) {
			return
		}
		if !ok {
			x.nodes = append(x.nodes, node{source: s})
			id = uint32(len(x.nodes))
			x.ids[s] = id
		}
		x.nodes[id-1].whole = whole
		pending = append(pending, id)
	}

	for _, root := range roots {
		reach(root, true)
	}
	for len(pending) > 0 {
		n := x.nodes[pending[len(pending)-1]-1]
		pending = pending[:len(pending)-1]
		record, err := n.record()
		if err != nil {
			return err
		}
		whole := true
		switch recordKind(n.u32(record[4:])) {
		case recPtr:
			whole = false
		case recArray, recTypedef, recVolatile, recConst, recRestrict, recTypeTag:
			whole = n.whole
		case recDeclTag:
			return fmt.Errorf("type ID %d: a declaration tag is no type", n.id)
		}
		n.words(record, nil, func(at int) {
			reach(n.refer(n.u32(record[at:])), whole)
		})
		if len(x.nodes) > maxExtracted {
			return fmt.Errorf("more than %d types belong together", maxExtracted)
		}
	}
	return nil
}

// record returns the record of a type as the extraction has it: without
// members if the type is cut.
func (n node) record() ([]byte, error) {
	record, err := n.kernelBTF.record(n.id)
	if err != nil {
		return nil, err
	}
	if kind := recordKind(n.u32(record[4:])); !n.whole && n.u32(record) != 0 && (kind == KindStruct || kind == KindUnion) {
		record = record[:recordLen]
	}
	return record, nil
}

// refer returns the source of a type that b refers to.
func (b *kernelBTF) refer(id uint32) source { return source{b.owner(id), id} }

// words calls name, unless it is nil, with the position of each name offset in
// a record, and ref with that of each type ID.
func (b *kernelBTF) words(record []byte, name, ref func(at int)) {
	kind := recordKind(b.u32(record[4:]))
	if name != nil {
		name(0)
	}
	entryName, entryRef := -1, -1
	switch kind {
	case recPtr, recTypedef, recVolatile, recConst, recRestrict, recTypeTag, recFunc, recVar:
		ref(8)
	case recArray:
		ref(recordLen)
		ref(recordLen + 4)
	case recFuncProto:
		ref(8)
		entryName, entryRef = 0, 4
	case recStruct, recUnion:
		entryName, entryRef = 0, 4
	case recEnum, recEnum64:
		entryName = 0
	case recDatasec:
		entryRef = 0
	}
	if entryName < 0 && entryRef < 0 {
		return
	}
	for at := recordLen; at < len(record); at += int(layouts[kind].each) {
		if entryName >= 0 && name != nil {
			name(at + entryName)
		}
		if entryRef >= 0 {
			ref(at + entryRef)
		}
	}
}

// marshal copies the records with their names and references rewritten.
func (x *extraction) marshal() ([]byte, error) {
	raw := make([]byte, btfHeaderSize, 4096)
	strings := []byte{0}
	var failed error
	for _, n := range x.nodes {
		record, err := n.record()
		if err != nil {
			return nil, err
		}
		start := len(raw)
		raw = append(raw, record...)
		moved := raw[start:]
		n.words(record, func(at int) {
			s, err := n.name(n.u32(record[at:]))
			if err != nil {
				failed = fmt.Errorf("type ID %d: %w", n.id, err)
			}
			offset := uint32(0)
			if len(s) > 0 {
				offset = uint32(len(strings))
				strings = append(append(strings, s...), 0)
			}
			x.order.PutUint32(moved[at:], offset)
		}, func(at int) {
			x.order.PutUint32(moved[at:], x.ids[n.refer(n.u32(record[at:]))])
		})
		if kind := recordKind(n.u32(record[4:])); len(record) == recordLen && (kind == KindStruct || kind == KindUnion) {
			x.order.PutUint32(moved[4:], uint32(kind)<<24)
		}
	}
	if failed != nil {
		return nil, failed
	}

	types := uint32(len(raw) - btfHeaderSize)
	x.order.PutUint16(raw, btfMagic)
	raw[2] = 1
	x.order.PutUint32(raw[4:], btfHeaderSize)
	x.order.PutUint32(raw[12:], types)
	x.order.PutUint32(raw[16:], types)
	x.order.PutUint32(raw[20:], uint32(len(strings)))
	return append(raw, strings...), nil
}

// find returns the type of the extraction that comes from a source, if it is
// whole.
func (x *extraction) find(s source) (btf.Type, bool, error) {
	id, ok := x.ids[s]
	if !ok || !x.nodes[id-1].whole {
		return nil, false, nil
	}
	typ, err := x.spec.TypeByID(btf.TypeID(id))
	return typ, true, err
}

// Type returns a type and what it refers to. Named structs and unions that are
// only reached through pointers have their size, but no members; declaration
// tags are left out. The type is shared: the caller must not change it.
//
// Asked twice, it returns the same [btf.Type]. A type that is part of one that
// was returned before, such as the ops type in a value type, is the same in
// both.
//
// Returns an error wrapping [btf.ErrNotFound] if there is no such type.
func (k *Kernel) Type(ref Ref) (btf.Type, error) {
	types, err := k.Types(ref)
	if err != nil {
		return nil, err
	}
	return types[0], nil
}

// Types is [Kernel.Type] for many types, in the order of refs. What they have
// in common is the same in all that weren't asked for before.
func (k *Kernel) Types(refs ...Ref) ([]btf.Type, error) {
	k.mu.Lock()
	defer k.mu.Unlock()

	types := make([]btf.Type, len(refs))
	sources := make([]source, len(refs))
	var missing []source
	for i, ref := range refs {
		b, err := k.in(ref.Module)
		if err != nil {
			return nil, err
		}
		sources[i] = b.refer(uint32(ref.ID))
		if types[i], err = k.extracted(sources[i]); err != nil {
			return nil, b.errorf(err)
		}
		if types[i] == nil {
			missing = append(missing, sources[i])
		}
	}
	if len(missing) == 0 {
		return types, nil
	}

	x, err := extract(k.vmlinux.order, append(missing, k.prototypes()...))
	if err != nil {
		return nil, fmt.Errorf("kernel BTF: %w", err)
	}
	k.extractions = append(k.extractions, x)
	for i, s := range sources {
		if types[i] == nil {
			if types[i], err = k.extracted(s); err != nil {
				return nil, s.errorf(err)
			}
		}
	}
	return types, nil
}

// extracted returns a type that was extracted before, or nil.
func (k *Kernel) extracted(s source) (btf.Type, error) {
	if s.id == 0 {
		return (*btf.Void)(nil), nil
	}
	for _, x := range k.extractions {
		if typ, ok, err := x.find(s); ok || err != nil {
			return typ, err
		}
	}
	return nil, nil
}

// prototypes returns the functions and variables among the announced names
// that weren't extracted yet. An object that looks at one of them looks at all,
// and each extraction costs a call of upstream's reader.
func (k *Kernel) prototypes() []source {
	var sources []source
	for _, index := range k.announced {
		for _, b := range append([]*kernelBTF{k.vmlinux}, k.modules...) {
			if index >= len(b.matches) {
				continue
			}
			for _, m := range b.matches[index] {
				if m.kind == KindFunc || m.kind == KindVar {
					sources = append(sources, source{b, m.id})
				}
			}
		}
	}
	k.announced = nil
	return sources
}
