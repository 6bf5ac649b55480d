package btfx

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// wrong lists the objects that upstream reads without an error and misreads,
// each with what can be deleted from the view once that has changed.
var wrong = map[string]string{
	"linked-el.elf":         "holes: showHole",
	"view_linked-el.elf":    "holes: showHole",
	"linked_core-el.elf":    "holes: showHole",
	"view_padding-el.elf":   "holes: showHole",
	"view_padding-eb.elf":   "holes: showHole",
	"view_addend-el.elf":    "addends: showDataReference",
	"view_addend-eb.elf":    "addends: showDataReference",
	"view_large_bss-el.elf": "large .bss: shrinkSection",
	"view_large_bss-eb.elf": "large .bss: shrinkSection",

	"linkage_callback-el.elf": "function addresses: showFunctionReference",
	"linkage_callback-eb.elf": "function addresses: showFunctionReference",

	"structops_exception-el.elf": "exception callbacks: exception.go",
	"structops_exception-eb.elf": "exception callbacks: exception.go",
	"exceptions.bpf.o":           "exception callbacks: exception.go",
	"exceptions_ext.bpf.o":       "exception callbacks: exception.go",
}

// TestViewSame compares the spec with upstream's own for every object that
// upstream reads by itself.
func TestViewSame(t *testing.T) {
	for _, name := range objectFiles(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(b))
			if err != nil {
				t.Skipf("refused by upstream: %v", err)
			}
			f, err := NewFile(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Spec()
			if err != nil {
				t.Fatal(err)
			}

			diff := cmp.Diff(describeSpec(f, want), describeSpec(f, got))
			switch reason := wrong[filepath.Base(name)]; {
			case reason == "" && diff != "":
				t.Errorf("spec differs (-upstream +view):\n%s", diff)
			case reason != "" && diff == "":
				t.Errorf("upstream reads this object as it should: the view no longer needs %s", reason)
			}
		})
	}
}

// objectFiles returns the names of ELF files: ours, those of a corpus in
// EBPFX_CORPUS, and upstream's own from the module cache where it has one.
func objectFiles(tb testing.TB) []string {
	tb.Helper()
	patterns := []string{"../testdata/*.elf"}
	if dir := os.Getenv("EBPFX_CORPUS"); dir != "" {
		patterns = append(patterns, filepath.Join(dir, "*", "*.o"))
	}
	if dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cilium/ebpf").Output(); err == nil {
		patterns = append(patterns, filepath.Join(strings.TrimSpace(string(dir)), "testdata", "*.elf"))
	}

	var names []string
	for _, pattern := range patterns {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			tb.Fatal(err)
		}
		names = append(names, matches...)
	}
	return names
}

// describeSpec writes a spec as text. What the view is there to change is left
// out: struct_ops maps and AttachTo, how externs are encoded, the linkage of
// functions and the names of parameters.
func describeSpec(f *File, spec *ebpf.CollectionSpec) map[string][]string {
	out := make(map[string][]string)
	for name, m := range spec.Maps {
		if m.Type == ebpf.StructOpsMap {
			continue
		}
		m := m.Copy()
		lines := []string{fmt.Sprintf("key %s value %s", describeType(spec, m.Key), describeType(spec, m.Value))}
		for _, kv := range m.Contents {
			if b, ok := kv.Value.([]byte); ok {
				kv.Value = fmt.Sprintf("%d bytes %.64x", len(b), b)
			}
			lines = append(lines, fmt.Sprint(kv))
		}
		if m.InnerMap != nil {
			m.InnerMap.Key, m.InnerMap.Value = nil, nil
			lines = append(lines, fmt.Sprintf("inner %+v", *m.InnerMap))
		}
		m.Key, m.Value, m.Contents, m.InnerMap, m.Extra = nil, nil, nil, nil, nil
		out["map "+name] = append(lines, fmt.Sprintf("%+v", *m))
	}
	for name, v := range spec.Variables {
		out["variable "+name] = []string{v.String(), fmt.Sprintf("%d bytes %.64x", len(v.Value), v.Value)}
	}
	for name, p := range spec.Programs {
		attachTo := p.AttachTo
		if p.Type == ebpf.StructOps {
			attachTo = ""
		}
		lines := []string{fmt.Sprint(p.Name, p.Type, p.AttachType, attachTo, p.SectionName, p.Flags, p.License, p.KernelVersion, p.ByteOrder)}
		for _, ins := range p.Instructions {
			lines = append(lines, describeInstruction(f, ins))
		}
		out["program "+name] = lines
	}
	return out
}

func describeInstruction(f *File, ins asm.Instruction) string {
	isKconfig := func(v DatasecVar) bool { return v.Name == ins.Reference() }
	if ins.Reference() == "" && ins.Src == asm.PseudoMapValue || slices.ContainsFunc(f.Datasec(".kconfig"), isKconfig) {
		ins = ins.WithReference("value of .kconfig")
		ins.Src, ins.Constant = 0, 0
	}

	line := fmt.Sprintf("ref %q symbol %q relo %v", ins.Reference(), ins.Symbol(), btf.CORERelocationMetadata(&ins))
	if fn := btf.FuncMetadata(&ins); fn != nil {
		line += " func " + fn.Name
	}
	if source, ok := ins.Source().(*btf.Line); ok {
		line += fmt.Sprintf(" at %s:%d:%d %s", source.FileName(), source.LineNumber(), source.LineColumn(), source.Line())
	}
	if _, ok := f.Undefined(ins.Reference()); ok {
		return line
	}
	return line + fmt.Sprintf(" %v dst %d src %d off %d const %d", ins.OpCode, ins.Dst, ins.Src, ins.Offset, ins.Constant)
}

func describeType(spec *ebpf.CollectionSpec, typ btf.Type) string {
	if typ == nil {
		return "none"
	}
	if ds, ok := typ.(*btf.Datasec); ok {
		vars := make([]string, 0, len(ds.Vars))
		for _, v := range ds.Vars {
			vars = append(vars, fmt.Sprintf("%s %d %d", v.Type.TypeName(), v.Offset, v.Size))
		}
		return fmt.Sprintf("%s %d %v", ds.Name, ds.Size, vars)
	}
	id, err := spec.Types.TypeID(typ)
	return fmt.Sprint(typ, id, err)
}
