package structops

import (
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
)

// prototype returns the prototype of the functions that a member can point to,
// nil if it is no callback.
func prototype(typ btf.Type) *btf.FuncProto {
	ptr, ok := btf.As[*btf.Pointer](typ)
	if !ok {
		return nil
	}
	proto, _ := btf.As[*btf.FuncProto](ptr.Target)
	return proto
}

// fits tells whether a program written for one prototype can be called with the
// arguments of another: as many parameters, passed alike, and a like result.
//
// Differs from [btf.CheckTypeCompatibility], which takes any two structs behind
// pointers for the same and a forward declaration for no struct.
func fits(a, b *btf.FuncProto) bool {
	if len(a.Params) != len(b.Params) || !passedAlike(a.Return, b.Return) {
		return false
	}
	for i := range a.Params {
		if !passedAlike(a.Params[i].Type, b.Params[i].Type) {
			return false
		}
	}
	return true
}

// passedAlike compares what a register holds: a pointer to something, or a
// number of so many bytes.
func passedAlike(a, b btf.Type) bool {
	if isPointer(a) || isPointer(b) {
		pa, aOK := btf.As[*btf.Pointer](a)
		pb, bOK := btf.As[*btf.Pointer](b)
		return aOK && bOK && pointAlike(pa.Target, pb.Target)
	}
	if isVoid(a) || isVoid(b) {
		return isVoid(a) && isVoid(b)
	}
	sizeA, errA := btf.Sizeof(a)
	sizeB, errB := btf.Sizeof(b)
	return errA == nil && errB == nil && sizeA == sizeB
}

// pointAlike compares named structs and unions by their name without flavor.
// Whatever else a pointer leads to says nothing for sure: void * and char * are
// often stand-ins.
func pointAlike(a, b btf.Type) bool {
	nameA, nameB := aggregateName(a), aggregateName(b)
	return nameA == "" || nameB == "" || nameA == nameB
}

func aggregateName(typ btf.Type) string {
	switch t := btf.UnderlyingType(typ).(type) {
	case *btf.Struct:
		return btfx.EssentialName(t.Name)
	case *btf.Union:
		return btfx.EssentialName(t.Name)
	case *btf.Fwd:
		return btfx.EssentialName(t.Name)
	}
	return ""
}
