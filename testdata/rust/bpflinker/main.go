// Bpflinker rewrites LLVM IR that rustc wrote, as text, from standard input to standard
// output: the way the linker of that name treats a module before it generates code.
//
//	go run ./bpflinker <in.ll >out.ll
//	go run ./bpflinker -externs <in.ll >out.ll
//
// With -externs it does instead what rustc is going to do: it describes extern functions in
// the debug information, with pointers to c_void as parameters.
package main

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func main() {
	log.SetFlags(0)
	externs := flag.Bool("externs", false, "describe extern functions, and do nothing else")
	flag.Parse()

	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	m := module(strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"))
	if *externs {
		m = m.describeExterns()
	} else {
		m.hideSymbols()
		m.rewriteTypes()
	}
	out := bufio.NewWriter(os.Stdout)
	for _, line := range m {
		fmt.Fprintln(out, line)
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

// module is the lines of LLVM IR.
type module []string

var (
	// The name of a function or variable may be quoted.
	definition = regexp.MustCompile(`^define (?:internal |private |hidden )*(.*?@("[^"]*"|[\w.$]+)\(.*)$`)
	variable   = regexp.MustCompile(`^@("[^"]*"|[\w.$]+) = (?:internal |private |hidden )*((?:unnamed_addr |local_unnamed_addr )*(?:constant|global) .*)$`)
	attachment = regexp.MustCompile(`!dbg (![0-9]+)`)
	metadata   = regexp.MustCompile(`^(![0-9]+) = (.*)$`)
)

// exported tells whether a symbol keeps its binding: Rust mangles all other names.
func exported(symbol string) bool {
	symbol = strings.Trim(symbol, `"`)
	return !strings.HasPrefix(symbol, "_R") && !strings.HasPrefix(symbol, "_ZN")
}

// hideSymbols makes what is not exported static, in the code and in the debug information.
func (m module) hideSymbols() {
	static := make(map[string]bool) // metadata of functions and of expressions about variables
	for i, line := range m {
		if match := definition.FindStringSubmatch(line); match != nil && !exported(match[2]) {
			m[i] = "define internal " + match[1]
		} else if match := variable.FindStringSubmatch(line); match != nil && !exported(match[1]) {
			m[i] = "@" + match[1] + " = internal " + match[2]
		} else {
			continue
		}
		if dbg := attachment.FindStringSubmatch(m[i]); dbg != nil {
			static[dbg[1]] = true
		}
	}

	expression := regexp.MustCompile(`^!DIGlobalVariableExpression\(var: (![0-9]+)`)
	for _, line := range m {
		if md := metadata.FindStringSubmatch(line); md != nil && static[md[1]] {
			if v := expression.FindStringSubmatch(md[2]); v != nil {
				static[v[1]] = true
			}
		}
	}
	for i, line := range m {
		if md := metadata.FindStringSubmatch(line); md != nil && static[md[1]] {
			line = strings.Replace(line, "isLocal: false", "isLocal: true", 1)
			m[i] = strings.Replace(line, "spFlags: DISPFlagDefinition", "spFlags: DISPFlagLocalToUnit | DISPFlagDefinition", 1)
		}
	}
}

// rewriteTypes gives types and functions names that are legal in C, takes the members of
// enums with data away, and sorts those of other types by offset.
func (m module) rewriteTypes() {
	index := make(map[string]int)
	for i, line := range m {
		if md := metadata.FindStringSubmatch(line); md != nil {
			index[md[1]] = i
		}
	}

	for i, line := range m {
		switch {
		case strings.Contains(line, "!DISubprogram("):
			m[i] = rename(line, escape)
		case strings.Contains(line, "!DIDerivedType(tag: DW_TAG_pointer_type"):
			m[i] = rename(line, func(string) string { return "" })
		case strings.Contains(line, "!DICompositeType(tag: DW_TAG_structure_type"),
			strings.Contains(line, "!DICompositeType(tag: DW_TAG_union_type"):
			m[i] = m.rewriteMembers(rename(line, escape), index)
		}
	}
}

var (
	elements = regexp.MustCompile(`elements: (![0-9]+)`)
	offset   = regexp.MustCompile(`offset: ([0-9]+)`)
)

// rewriteMembers edits the list of members of a structure or union. Lists are
// shared between types, so the list is written into the type.
func (m module) rewriteMembers(line string, index map[string]int) string {
	match := elements.FindStringSubmatch(line)
	if match == nil {
		return line
	}
	_, list, _ := strings.Cut(m[index[match[1]]], "!{")
	list = strings.TrimSuffix(list, "}")
	if list == "" {
		return line
	}

	members := strings.Split(list, ", ")
	position := func(member string) int {
		if match := offset.FindStringSubmatch(m[index[member]]); match != nil {
			n, _ := strconv.Atoi(match[1])
			return n
		}
		return 0
	}
	for _, member := range members {
		if strings.Contains(m[index[member]], "DW_TAG_variant_part") {
			return strings.Replace(line, match[0], "elements: !{}", 1)
		}
	}
	slices.SortStableFunc(members, func(a, b string) int { return cmp.Compare(position(a), position(b)) })
	return strings.Replace(line, match[0], "elements: !{"+strings.Join(members, ", ")+"}", 1)
}

var name = regexp.MustCompile(`\bname: "([^"]*)"(, )?`)

// rename changes the name in the description of a type or function.
func rename(line string, change func(string) string) string {
	match := name.FindStringSubmatch(line)
	if match == nil {
		return line
	}
	renamed := ""
	if n := change(unquote(match[1])); n != "" {
		renamed = fmt.Sprintf("name: %q%s", n, match[2])
	}
	return strings.Replace(line, match[0], renamed, 1)
}

// unquote decodes a string of LLVM IR, in which \22 is a quote.
func unquote(s string) string {
	return regexp.MustCompile(`\\[0-9A-F]{2}`).ReplaceAllStringFunc(s, func(hex string) string {
		n, _ := strconv.ParseUint(hex[1:], 16, 8)
		return string([]byte{byte(n)})
	})
}

// escape makes an identifier of any text.
func escape(s string) string {
	const limit = 128
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == '_', '0' <= c && c <= '9', 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "_%X_", c)
		}
	}
	if b.Len() <= limit {
		return b.String()
	}
	h := fnv.New64a()
	h.Write([]byte(b.String()))
	hash := fmt.Sprintf("%X", h.Sum64())
	return b.String()[:limit-len(hash)-1] + "_" + hash
}

var declaration = regexp.MustCompile(`^declare ((?:extern_weak )?(?:noundef )?(\w+) @([\w.$]+)\((.*)\)) unnamed_addr(.*)$`)

// describeExterns attaches a description to each declared function, which LLVM turns into
// an extern FUNC in DATASEC .ksyms.
func (m module) describeExterns() module {
	next := 0
	for _, line := range m {
		if md := metadata.FindStringSubmatch(line); md != nil {
			n, _ := strconv.Atoi(md[1][1:])
			next = max(next, n+1)
		}
	}
	var added []string
	add := func(format string, args ...any) string {
		id := fmt.Sprintf("!%d", next+len(added))
		added = append(added, id+" = "+fmt.Sprintf(format, args...))
		return id
	}

	file := add(`!DIFile(filename: "extern.rs", directory: ".")`)
	types := map[string]string{
		"void": "null",
		"i1":   add(`!DIBasicType(name: "bool", size: 8, encoding: DW_ATE_boolean)`),
		"i32":  add(`!DIBasicType(name: "u32", size: 32, encoding: DW_ATE_unsigned)`),
		"i64":  add(`!DIBasicType(name: "u64", size: 64, encoding: DW_ATE_unsigned)`),
	}
	byteType := add(`!DIBasicType(name: "u8", size: 8, encoding: DW_ATE_unsigned)`)
	variants := add(`!{!%d, !%d}`, next+len(added)+1, next+len(added)+2)
	add(`!DIEnumerator(name: "__variant1", value: 0, isUnsigned: true)`)
	add(`!DIEnumerator(name: "__variant2", value: 1, isUnsigned: true)`)
	void := add(`!DICompositeType(tag: DW_TAG_enumeration_type, name: "c_void", file: %s, baseType: %s, size: 8, align: 8, flags: DIFlagEnumClass, elements: %s)`, file, byteType, variants)
	types["ptr"] = add(`!DIDerivedType(tag: DW_TAG_pointer_type, name: "*mut core::ffi::c_void", baseType: %s, size: 64, align: 64, dwarfAddressSpace: 0)`, void)

	out := make(module, 0, len(m))
	for _, line := range m {
		match := declaration.FindStringSubmatch(line)
		if match == nil {
			out = append(out, line)
			continue
		}
		signature := []string{types[match[2]]}
		for _, parameter := range strings.Split(match[4], ", ") {
			typ, _, _ := strings.Cut(parameter, " ")
			signature = append(signature, types[typ])
		}
		list := add(`!{%s}`, strings.Join(signature, ", "))
		subroutine := add(`!DISubroutineType(types: %s)`, list)
		sp := add(`!DISubprogram(name: %q, scope: %s, file: %s, line: 1, type: %s, flags: DIFlagPrototyped, spFlags: DISPFlagOptimized)`, match[3], file, file, subroutine)
		out = append(out, fmt.Sprintf(`declare !dbg %s %s unnamed_addr%s section ".ksyms"`, sp, match[1], match[5]))
	}
	return append(out, added...)
}
