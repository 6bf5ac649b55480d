package btfx

import (
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"strings"
	"testing"
)

func newFileFrom(b []byte) (*File, error) { return NewFile(bytes.NewReader(b)) }

func TestNewFileErrors(t *testing.T) {
	object := readObject(t, "view_plain-el.elf")
	f := readFile(t, object)
	le := f.ByteOrder
	shoff := le.Uint64(object[40:])
	// header returns the bytes of a section header.
	header := func(b []byte, name string) []byte {
		for i, sec := range f.Sections {
			if sec.Name == name {
				return b[shoff+64*uint64(i):]
			}
		}
		t.Fatalf("no section %q", name)
		return nil
	}

	for _, test := range []struct {
		name string
		edit func(b []byte) []byte
		want string
	}{
		{"empty", func([]byte) []byte { return nil }, "not an ELF file"},
		{"text", func([]byte) []byte { return bytes.Repeat([]byte("#!/bin/sh\n"), 10) }, "not an ELF file"},
		{"32 bits", func(b []byte) []byte { b[4] = 1; return b }, "ELF header: ELFCLASS32, want ELFCLASS64"},
		{"byte order", func(b []byte) []byte { b[5] = 3; return b }, "ELF header: unknown byte order ELFDATA2MSB+1"},
		{"machine", func(b []byte) []byte { le.PutUint16(b[18:], uint16(elf.EM_X86_64)); return b }, "ELF header: machine EM_X86_64, want EM_BPF: compile with -target bpf"},
		{"executable", func(b []byte) []byte { le.PutUint16(b[16:], uint16(elf.ET_EXEC)); return b }, "ELF header: type ET_EXEC, want ET_REL"},
		{"no sections", func(b []byte) []byte { le.PutUint16(b[60:], 0); return b }, "ELF header: 0 sections, section 1 holds their names"},
		{"section headers", func(b []byte) []byte { le.PutUint64(b[40:], 1<<40); return b }, "section headers:"},
		{"section headers wrap", func(b []byte) []byte { le.PutUint64(b[40:], 1<<64-1); return b }, "section headers: offset 18446744073709551615 and size 1088 are out of range"},
		{"truncated", func(b []byte) []byte { return b[:len(b)-1] }, "section headers:"},
		{"section name", func(b []byte) []byte { le.PutUint32(header(b, ".data"), 1<<20); return b }, "section 6: name: offset 1048576 is no string in a table of"},
		{"section size", func(b []byte) []byte { le.PutUint64(header(b, ".BTF.ext")[32:], 1<<62); return b }, "overlaps section"},
		{"section offset", func(b []byte) []byte { le.PutUint64(header(b, ".BTF")[24:], 1<<62); return b }, `section ".BTF": `},
		{"compressed", func(b []byte) []byte { header(b, ".BTF")[9] |= 8; return b }, `section ".BTF": compressed`},
		{"overlap", func(b []byte) []byte {
			copy(header(b, ".BTF")[24:32], header(b, ".data")[24:32])
			return b
		}, "overlaps section"},
		{"RELA", func(b []byte) []byte { header(b, ".relxdp")[4] = byte(elf.SHT_RELA); return b }, `section ".relxdp": relocations of section "xdp" are of type SHT_RELA, want SHT_REL`},
		{"relocated section", func(b []byte) []byte { le.PutUint32(header(b, ".relxdp")[44:], 99); return b }, `section ".relxdp": applies to section 99, the file has 17`},
		{"relocation size", func(b []byte) []byte { le.PutUint64(header(b, ".relxdp")[56:], 8); return b }, `section ".relxdp": 64 bytes in entries of 8, want entries of 16`},
		{"relocation symbol", func(b []byte) []byte {
			rel := b[le.Uint64(header(b, ".relxdp")[24:]):]
			le.PutUint32(rel[12:], 1000)
			return b
		}, `symbol 1000, the file has`},
		{"no symbols", func(b []byte) []byte { header(b, ".symtab")[4] = byte(elf.SHT_PROGBITS); return b }, "no symbol table: strip debug information only"},
		{"symbol names", func(b []byte) []byte { le.PutUint32(header(b, ".symtab")[40:], 2); return b }, "symbol table: section 2 holds no names"},
		{"symbol size", func(b []byte) []byte { le.PutUint64(header(b, ".symtab")[56:], 16); return b }, "entries of 16, want entries of 24"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := newFileFrom(test.edit(bytes.Clone(object)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// EM_NONE is what LLVM wrote before the machine had a number.
func TestNewFileMachineNone(t *testing.T) {
	object := readObject(t, "view_plain-el.elf")
	object[18], object[19] = 0, 0
	if _, err := readFile(t, object).Spec(); err != nil {
		t.Error(err)
	}
}

// A size that the file does not have must not be allocated.
func TestReadFullLies(t *testing.T) {
	_, err := readFull(bytes.NewReader(make([]byte, 100)), 50, 1<<40)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

// DWARF is not read, however broken it is.
func TestNewFileDebug(t *testing.T) {
	object := rewrite(t, readObject(t, "view_plain-el.elf"), func(v *view) {
		v.sections = append(v.sections, viewSection{name: ".debug_info", data: []byte("x"), header: elf.Section64{
			Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_COMPRESSED),
		}})
	})
	f := readFile(t, object)
	if _, err := f.Spec(); err != nil {
		t.Error(err)
	}
	for i, sec := range f.Sections {
		if _, err := f.Data(elf.SectionIndex(i)); isDebug(sec.Name) != (err != nil) {
			t.Errorf("section %q: %v", sec.Name, err)
		}
	}
}
