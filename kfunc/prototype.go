package kfunc

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// Declaration renders a type in C as the declaration of a name, for texts that
// people read: "int *(*name)(...)", "void name(struct sock *sk)".
func Declaration(typ btf.Type, name string) string { return declare(typ, name, 0) }

// prototype renders a *btf.Func or *btf.Var as a declaration in C, for error
// texts. Empty for nil.
func prototype(typ btf.Type) string {
	switch t := typ.(type) {
	case *btf.Func:
		return declare(t.Type, t.Name, 0)
	case *btf.Var:
		return declare(t.Type, t.Name, 0)
	}
	return ""
}

// maxDeclareDepth ends the recursion for BTF in which types refer to each
// other in a cycle. No C declaration is that deep.
const maxDeclareDepth = 32

// declare renders `declarator` as having a type. Structs, unions and enums are
// named, not spelled out, and so the text of one type is bounded.
func declare(typ btf.Type, declarator string, depth int) string {
	if depth > maxDeclareDepth {
		return join("...", declarator)
	}
	depth++

	switch t := typ.(type) {
	case *btf.Pointer:
		switch btf.QualifiedType(t.Target).(type) {
		case *btf.FuncProto, *btf.Array:
			return declare(t.Target, "(*"+declarator+")", depth)
		}
		return declare(t.Target, "*"+declarator, depth)
	case *btf.Array:
		return declare(t.Type, fmt.Sprintf("%s[%d]", declarator, t.Nelems), depth)
	case *btf.FuncProto:
		return declare(t.Return, declarator+parameters(t, depth), depth)
	case *btf.Const:
		return qualify("const", t.Type, declarator, depth)
	case *btf.Volatile:
		return qualify("volatile", t.Type, declarator, depth)
	case *btf.Restrict:
		return qualify("restrict", t.Type, declarator, depth)
	case *btf.TypeTag:
		return declare(t.Type, declarator, depth)
	}
	return join(specifier(typ), declarator)
}

// qualify puts a qualifier behind the asterisk of a pointer and before
// anything else.
func qualify(qualifier string, typ btf.Type, declarator string, depth int) string {
	if _, ok := btf.QualifiedType(typ).(*btf.Pointer); ok {
		return declare(typ, join(qualifier, declarator), depth)
	}
	return join(qualifier, declare(typ, declarator, depth))
}

// parameters renders a parameter list; that of a callback is not spelled out.
func parameters(proto *btf.FuncProto, depth int) string {
	if depth > 1 {
		return "(...)"
	}
	if len(proto.Params) == 0 {
		return "(void)"
	}
	var params []string
	for _, p := range proto.Params {
		params = append(params, declare(p.Type, p.Name, depth))
	}
	return "(" + strings.Join(params, ", ") + ")"
}

func specifier(typ btf.Type) string {
	name := typ.TypeName()
	if name == "" {
		name = "{...}"
	}
	switch t := typ.(type) {
	case *btf.Void:
		return "void"
	case *btf.Struct:
		return "struct " + name
	case *btf.Union:
		return "union " + name
	case *btf.Enum:
		return "enum " + name
	case *btf.Fwd:
		return t.Kind.String() + " " + name
	}
	return name
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}
