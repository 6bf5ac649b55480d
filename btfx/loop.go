package btfx

import (
	"fmt"

	"github.com/cilium/ebpf/btf"
)

// checkLoops refuses types that upstream's deduplication would follow for ever.
// It stops at pointers, but not at those to functions, and not at functions that
// something has by value, which no compiler makes.
func checkLoops(types []btf.Type) error {
	const active, done = 1, 2
	state := make(map[btf.Type]int, len(types))
	var visit func(btf.Type) error
	visit = func(typ btf.Type) error {
		switch state[typ] {
		case done:
			return nil
		case active:
			return fmt.Errorf("%s contains itself", typ)
		}
		state[typ] = active
		for _, child := range contained(typ) {
			if isFunction(child) && hasValues(typ) {
				return fmt.Errorf("%s has a function by value", typ)
			}
			if err := visit(child); err != nil {
				return err
			}
		}
		state[typ] = done
		return nil
	}
	for _, typ := range types {
		if err := visit(typ); err != nil {
			return err
		}
	}
	return nil
}

// contained returns what a type refers to, but for the targets of pointers to
// data.
func contained(typ btf.Type) []btf.Type {
	var children []btf.Type
	switch t := typ.(type) {
	case *btf.Struct:
		for _, m := range t.Members {
			children = append(children, m.Type)
		}
	case *btf.Union:
		for _, m := range t.Members {
			children = append(children, m.Type)
		}
	case *btf.FuncProto:
		children = append(children, t.Return)
		for _, p := range t.Params {
			children = append(children, p.Type)
		}
	case *btf.Datasec:
		for _, v := range t.Vars {
			children = append(children, v.Type)
		}
	case *btf.Array:
		children = append(children, t.Index, t.Type)
	case *btf.Pointer:
		if isFunction(t.Target) {
			children = append(children, t.Target)
		}
	case *btf.Typedef:
		children = append(children, t.Type)
	case *btf.Const:
		children = append(children, t.Type)
	case *btf.Volatile:
		children = append(children, t.Type)
	case *btf.Restrict:
		children = append(children, t.Type)
	case *btf.TypeTag:
		children = append(children, t.Type)
	case *btf.Func:
		children = append(children, t.Type)
	case *btf.Var:
		children = append(children, t.Type)
	}
	return children
}

// isFunction tells whether a type without modifiers is a function.
func isFunction(typ btf.Type) bool {
	switch btf.UnderlyingType(typ).(type) {
	case *btf.FuncProto, *btf.Func:
		return true
	}
	return false
}

// hasValues tells whether what a type refers to are values that it has.
func hasValues(typ btf.Type) bool {
	switch typ.(type) {
	case *btf.Struct, *btf.Union, *btf.Array, *btf.FuncProto, *btf.Var:
		return true
	}
	return false
}
