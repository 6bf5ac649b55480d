package btfx

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// showTypes edits the records of .BTF. IDs stay: a record is changed in place,
// a string is appended.
func (v *view) showTypes() error {
	if v.File.types == nil {
		return nil
	}
	v.types = &rawBTF{
		order:   v.ByteOrder,
		types:   bytes.Clone(v.File.types.types),
		strings: slices.Clip(v.File.types.strings),
	}
	if v.IsRust() {
		if err := v.showRust(); err != nil {
			return fmt.Errorf("section %q: %w", ".BTF", err)
		}
	}

	records := make([]record, 1, v.File.types.count+1) // by type ID; void is none
	for r := range v.types.records() {
		records = append(records, r)
	}

	hidden := v.hiddenFunctions()
	objects := v.visibleObjects()
	if err := v.checkCopies(records, objects); err != nil {
		return err
	}
	for _, r := range records[1:] {
		switch r.kind() {
		case recFunc:
			name := v.types.name(r)
			if hidden[name] && r.vlen() == btfFuncGlobal {
				r.putInfo(recFunc, btfFuncStatic)
				delete(hidden, name)
			}
			v.nameParameters(r, records)
		case recDatasec:
			v.showDatasec(r, records, objects)
		}
	}

	return nil
}

// writeTypes encodes the BTF when nothing is added to it any more.
func (v *view) writeTypes() error {
	if v.types != nil {
		v.showSection(".BTF", v.types.marshal())
	}
	return nil
}

// The linkage of a FUNC, BTF_FUNC_*.
const (
	btfFuncStatic = 0
	btfFuncGlobal = 1
	btfFuncExtern = 2
)

// showSection gives a section that showSections left out new contents.
func (v *view) showSection(name string, data []byte) {
	index := slices.IndexFunc(v.Sections, func(s Section) bool { return s.Name == name })
	v.sections[index] = viewSection{name: name, data: data, header: elf.Section64{Type: uint32(elf.SHT_PROGBITS), Addralign: 1}}
}

// hiddenFunctions returns the names of the functions in .text that are hidden
// without being static. The verifier is to follow calls of them as if they were
// static. Mirrors libbpf bpf_object__sanitize_and_load_btf.
//
// Closes the gap that cilium/ebpf v0.22.0 leaves them GLOBAL, so that the kernel
// verifies them on their own and refuses them as callbacks.
func (v *view) hiddenFunctions() map[string]bool {
	hidden := make(map[string]bool)
	for _, sym := range v.Symbols {
		if sym.Type == elf.STT_FUNC && sym.Binding != elf.STB_LOCAL && sym.isHidden() && sym.isDefined() && v.Sections[sym.Section].Name == ".text" {
			hidden[sym.Name] = true
		}
	}
	return hidden
}

// visibleObjects returns the variables that are not static, by name.
func (v *view) visibleObjects() map[string]Symbol {
	objects := make(map[string]Symbol)
	for _, sym := range v.Symbols {
		if sym.isObject() {
			objects[sym.Name] = sym
		}
	}
	return objects
}

// nameParameters names the unnamed parameters of a function, as C23 allows them.
// The kernel wants names. Closes the gap that neither cilium/ebpf v0.22.0 nor
// libbpf can load such an object.
func (v *view) nameParameters(fn record, records []record) {
	id := fn.sizeOrType()
	if fn.vlen() == btfFuncExtern || uint64(id) >= uint64(len(records)) || records[id].raw == nil || records[id].kind() != recFuncProto {
		return
	}
	proto := records[id]
	for i := range proto.vlen() {
		if proto.u32(12+8*i) == 0 && proto.u32(16+8*i) != 0 {
			proto.put(12+8*i, v.appendString(fmt.Sprintf("arg%d", i)))
		}
	}
}

// showDatasec edits a DATASEC and its variables.
func (v *view) showDatasec(r record, records []record, objects map[string]Symbol) {
	section := v.types.name(r)
	switch {
	case isVirtualDatasec(section):
		hideDatasec(r)
		return
	case len(v.renamed[section]) > 0:
		r.put(0, v.appendString(v.renamed[section]))
		v.restoreDatasec(r.id, func(ds *btf.Datasec) { ds.Name = section })
	}

	for i := range r.vlen() {
		id := r.u32(12 + 12*i)
		if uint64(id) >= uint64(len(records)) || records[id].raw == nil || records[id].kind() != recVar {
			continue
		}
		variable := records[id]
		sym, ok := objects[v.types.name(variable)]
		if !ok {
			continue
		}

		switch {
		case v.Sections[sym.Section].Name != section || variable.u32(12) == btfVarStatic || r.sizeOrType() != 0 && uint64(r.u32(16+12*i)) != sym.Value:
			if v.isData(section) {
				v.hideVariable(variable)
			}
		case sym.isHidden():
			// Mirrors libbpf btf_fixup_datasec.
			variable.put(12, btfVarStatic)
		}
	}
}

// hideDatasec makes a DATASEC an anonymous struct of size 0 with as many members
// of type void, which has the same length.
//
// Closes the gap that cilium/ebpf v0.22.0 refuses typed variables in .ksyms and
// weak ones in .kconfig, and resolves the others in ways that differ from libbpf.
func hideDatasec(r record) {
	vlen := r.vlen()
	clear(r.raw)
	r.putInfo(recStruct, vlen)
}

// hideVariable keeps upstream from taking a VAR for the variable of its name
// that lies elsewhere: after static linking a DATASEC may keep the place of a
// weak variable that lost against another file's, and static ones share names.
// The symbol table decides where a variable is, the VAR still what it is.
//
// Closes the gap that cilium/ebpf v0.22.0 refuses such an object.
func (v *view) hideVariable(variable record) {
	name := v.types.name(variable)
	variable.put(0, v.appendString(name+" elsewhere"))
	v.restores = append(v.restores, func(spec *ebpf.CollectionSpec) error {
		typ, err := typeByID[*btf.Var](spec, variable.id)
		if err != nil {
			return err
		}
		typ.Name = name
		if spec := spec.Variables[name]; spec != nil && spec.Type == nil && typ.Linkage != btf.StaticVar {
			spec.Type = btf.Copy(typ).(*btf.Var)
		}
		return nil
	})
}

// restoreDatasec changes a DATASEC of the spec.
func (v *view) restoreDatasec(id btf.TypeID, change func(*btf.Datasec)) {
	v.restores = append(v.restores, func(spec *ebpf.CollectionSpec) error {
		ds, err := typeByID[*btf.Datasec](spec, id)
		if err != nil {
			return err
		}
		change(ds)
		return nil
	})
}

// isData tells whether upstream makes VariableSpecs from a section.
func (v *view) isData(name string) bool {
	return Section{Name: name}.kind() == dataSection
}

// appendString adds a string to the string section and returns its offset.
func (v *view) appendString(s string) uint32 {
	offset := len(v.types.strings)
	v.types.strings = append(append(v.types.strings, s...), 0)
	return uint32(offset)
}
