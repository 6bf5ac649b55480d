package structops

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// What loaders of Rust objects have got wrong, one test each, on the object of a
// congestion control.

// damaged opens testdata/rust/NAME after an edit of a section.
func damaged(t *testing.T, name, section string, edit func(f *elf.File, data []byte)) (*Object, error) {
	t.Helper()
	b, err := os.ReadFile(golden("rust/" + name))
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	s := f.Section(section)
	edit(f, b[s.Offset:][:s.Size])
	return Open(bytes.NewReader(b))
}

// symbolIndex returns the index of a symbol in the symbol table.
func symbolIndex(t *testing.T, f *elf.File, name string) uint64 {
	t.Helper()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for i, sym := range symbols {
		if sym.Name == name {
			return uint64(i + 1)
		}
	}
	t.Fatalf("no symbol %q", name)
	return 0
}

// opsPlan resolves the only map of an object on a kernel that has an ops type.
func opsPlan(t *testing.T, obj *Object, ops *btf.Struct) (*MapPlan, error) {
	t.Helper()
	plan, err := obj.Resolve(imaginaryKernel(t, ops, valueType(ops)))
	if err != nil {
		return nil, err
	}
	return &plan.Maps[0], nil
}

const rel = ".rel.struct_ops.link"

// The programs of members are those that relocations point at, not those whose
// names look like the members'.
func TestRequirePrograms(t *testing.T) {
	obj, err := damaged(t, "tcp_kfuncs-plain.o", rel, func(f *elf.File, data []byte) {
		// Entries are 16 bytes, the symbol is the upper half of the second word.
		ssthresh, undo := symbolIndex(t, f, "rust_ssthresh"), symbolIndex(t, f, "rust_undo_cwnd")
		for entry := data; len(entry) > 0; entry = entry[16:] {
			switch binary.LittleEndian.Uint32(entry[12:]) {
			case uint32(ssthresh):
				binary.LittleEndian.PutUint32(entry[12:], uint32(undo))
			case uint32(undo):
				binary.LittleEndian.PutUint32(entry[12:], uint32(ssthresh))
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"rust_undo_cwnd", "rust_cong_avoid", "rust_ssthresh", "", ""}
	if diff := cmp.Diff(want, obj.Ops["rust_kfuncs"].Programs); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
}

// A relocated slot without a program is an error, not NULL.
func TestRequireSlots(t *testing.T) {
	for symbol, want := range map[string]string{
		"rust_kfuncs":            `no function at offset 0 of section ".struct_ops.link"`,
		"tcp_reno_ssthresh":      `symbol "tcp_reno_ssthresh" is not defined in the object`,
		"LICENSE":                `no function at offset 0 of section "license"`,
		"AVOIDED":                `no function at offset 0 of section ".bss"`,
		"\x00no such number\x00": `symbol`,
	} {
		_, err := damaged(t, "tcp_kfuncs-plain.o", rel, func(f *elf.File, data []byte) {
			index := uint64(1 << 20)
			if !strings.HasPrefix(symbol, "\x00") {
				index = symbolIndex(t, f, symbol)
			}
			binary.LittleEndian.PutUint32(data[12:], uint32(index))
		})
		wantError(t, err, nil, want)
	}
}

// Section bytes out of range are an error; never the whole section instead.
func TestRequireRange(t *testing.T) {
	_, err := damaged(t, "tcp_kfuncs-plain.o", rel, func(_ *elf.File, data []byte) {
		binary.LittleEndian.PutUint64(data, 1<<20)
	})
	wantError(t, err, nil, `section ".struct_ops.link": relocation at offset 1048576: no variable there`)

	for _, value := range []uint64{8, 48, 1 << 31} {
		_, err := damaged(t, "tcp_kfuncs-plain.o", ".symtab", func(f *elf.File, data []byte) {
			binary.LittleEndian.PutUint64(data[24*symbolIndex(t, f, "rust_kfuncs")+8:], value)
		})
		if err == nil {
			t.Errorf("variable at offset %d of a section of 48 bytes: no error", value)
		}
	}
}

// No BTF, and a variable that is no struct: an error when the file is read, with
// section and map.
func TestRequireTypes(t *testing.T) {
	_, err := openFile(golden("rust/tcp_nodebug-plain.o"))
	wantError(t, err, nil, `section ".struct_ops.link"`, "no BTF")
	_, err = openFile(golden("structops_integer-el.elf"))
	wantError(t, err, nil, `section ".struct_ops.link"`, "not a struct")

	// The VAR refers to an integer.
	_, err = damaged(t, "tcp_kfuncs-plain.o", ".BTF", func(f *elf.File, data []byte) {
		spec, err := btf.LoadSpecFromReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		var v *btf.Var
		var u32 *btf.Int
		if err := spec.TypeByName("rust_kfuncs", &v); err != nil {
			t.Fatal(err)
		}
		if err := spec.TypeByName("u32", &u32); err != nil {
			t.Fatal(err)
		}
		name := uint32(bytes.Index(data[24+binary.LittleEndian.Uint32(data[16:]):], []byte("\x00rust_kfuncs\x00")) + 1)
		at := bytes.Index(data, binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, name), 14<<24))
		id, err := spec.TypeID(u32)
		if err != nil || at < 0 {
			t.Fatal(at, err)
		}
		binary.LittleEndian.PutUint32(data[at+8:], uint32(id))
	})
	wantError(t, err, nil, `section ".struct_ops.link": map "rust_kfuncs": type is`, "not a struct")
}

// The value type's data member is looked for and checked; there is no default.
func TestRequireData(t *testing.T) {
	obj := rustObjectOf(t, "tcp_kfuncs-plain.o")
	ops := tcpOps()
	without, beyond := valueType(ops), valueType(ops)
	without.Members = without.Members[:1]
	beyond.Size = 64
	for want, value := range map[string]*btf.Struct{
		`value type bpf_struct_ops_tcp_congestion_ops has no data member of type struct tcp_congestion_ops`: without,
		"data member at offset 64": beyond,
	} {
		_, err := obj.Resolve(imaginaryKernel(t, ops, value))
		wantError(t, err, nil, want)
	}
	_, err := obj.Resolve(imaginaryKernel(t, tU32))
	wantError(t, err, ebpf.ErrNotSupported, `kernel has no struct_ops "tcp_congestion_ops"`)
}

func rustObjectOf(t *testing.T, name string) *Object {
	t.Helper()
	obj, err := openFile(golden("rust/" + name))
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

// The member index is a number of 32 bits, and the value is copied member by
// member: newer kernels have members in the middle of an ops type.
func TestRequireMembers(t *testing.T) {
	obj := rustObjectOf(t, "tcp_kfuncs-plain.o")
	const more = 300
	ops := layout("tcp_congestion_ops")
	for range more {
		ops.Members = append(ops.Members, btf.Member{Name: "newer", Type: callback(&btf.Void{}), Offset: btf.Bits(ops.Size * 8)})
		ops.Size += 8
	}
	for _, m := range tcpOps().Members {
		m.Offset += more * 64
		ops.Members = append(ops.Members, m)
	}
	ops.Size += tcpOps().Size

	m, err := opsPlan(t, obj, ops)
	if err != nil {
		t.Fatal(err)
	}
	want := []Slot{
		{"ssthresh", more, m.DataOffset + 8*more, "rust_ssthresh"},
		{"cong_avoid", more + 1, m.DataOffset + 8*more + 8, "rust_cong_avoid"},
		{"undo_cwnd", more + 2, m.DataOffset + 8*more + 16, "rust_undo_cwnd"},
	}
	if diff := cmp.Diff(want, m.Slots); diff != "" {
		t.Errorf("slots (-want +got):\n%s", diff)
	}
	name := m.Value[m.DataOffset+8*more+40:][:16]
	if got := string(bytes.TrimRight(name, "\x00")); got != "rust_kfuncs" {
		t.Errorf("name is %q", got)
	}
	if rest := bytes.Count(m.Value, []byte{0}); rest != len(m.Value)-len("rust_kfuncs") {
		t.Errorf("%d bytes are zero, all but the name's of %d should be", rest, len(m.Value))
	}
}

// The license is read where Rust puts it.
func TestRequireLicense(t *testing.T) {
	for name, prog := range rustObjectOf(t, "tcp_kfuncs-linked.o").Spec.Programs {
		if prog.License != "GPL" {
			t.Errorf("program %q: license %q", name, prog.License)
		}
	}
}
