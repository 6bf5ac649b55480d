package btfx

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// One name of a megabyte, used a thousand times.
func TestLimitNames(t *testing.T) {
	name := strings.Repeat("x", 1<<20)
	object := readObject(t, "view_plain-el.elf")

	t.Run("BTF", func(t *testing.T) {
		edited := rewrite(t, object, func(v *view) {
			types, err := newRawBTF(v.section(".BTF").data)
			if err != nil {
				t.Fatal(err)
			}
			offset := uint32(len(types.strings))
			types.strings = append(append(types.strings[:offset:offset], name...), 0)
			for range 1000 {
				fwd := record{types.order, 0, make([]byte, 12)}
				fwd.put(0, offset)
				fwd.putInfo(recFwd, 0)
				types.types = append(types.types[:len(types.types):len(types.types)], fwd.raw...)
			}
			v.section(".BTF").data = types.marshal()
		})
		wantError(t, edited, fmt.Sprintf(`section ".BTF": names have more than %d bytes`, maxNames))
	})

	t.Run("symbols", func(t *testing.T) {
		f := readFile(t, object)
		edited := rewrite(t, object, func(v *view) { v.appendSymbol(Symbol{Name: name}) })
		// The table that rewrite wrote has the name once: use it again.
		g := readFile(t, edited)
		for i, sec := range g.Sections {
			if sec.Type == elf.SHT_SYMTAB {
				table := edited[g.headers[i].Off:][:sec.Size]
				last := table[len(table)-elfSymbolSize:]
				g.headers[i].Size += elfSymbolSize * 1000
				g.headers[i].Off = uint64(len(edited))
				edited = append(append(edited, table...), bytes.Repeat(last, 1000)...)
				shoff := f.ByteOrder.Uint64(edited[40:])
				binary.Encode(edited[shoff+64*uint64(i):], f.ByteOrder, g.headers[i])
			}
		}
		wantError(t, edited, fmt.Sprintf("symbol table: names have more than %d bytes", maxNames))
	})
}

// wantError checks the error of reading an object.
func wantError(t *testing.T, object []byte, want string) {
	t.Helper()
	f, err := newFileFrom(object)
	if err == nil {
		_, err = f.Spec()
	}
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// hostile returns an object with a .data section of variables, whose BTF is
// made by the caller: it gets a function that adds a record.
func hostile(vars int, build func(add func(name, info, typ uint32, more ...uint32))) []byte {
	types := &rawBTF{order: binary.LittleEndian, strings: []byte("\x00.data\x00v\x00")}
	build(func(name, info, typ uint32, more ...uint32) {
		for _, word := range append([]uint32{name, info, typ}, more...) {
			types.types = binary.LittleEndian.AppendUint32(types.types, word)
		}
	})
	v := &view{File: &File{ByteOrder: binary.LittleEndian}, types: types, symbols: []Symbol{{}}}
	for i := range vars {
		v.symbols = append(v.symbols, Symbol{Name: fmt.Sprint("v", i), Value: uint64(i), Size: 1, Section: 1, Type: elf.STT_OBJECT, Binding: elf.STB_GLOBAL})
	}
	progbits := elf.Section64{Type: uint32(elf.SHT_PROGBITS)}
	v.sections = []viewSection{{}, {name: ".data", data: make([]byte, vars), header: progbits}, {name: ".BTF", data: types.marshal(), header: progbits}}
	return v.marshal()
}

// Many variables of a type behind which there are many.
func TestLimitCopies(t *testing.T) {
	const vars, members = 5000, 20000
	object := hostile(vars, func(add func(name, info, typ uint32, more ...uint32)) {
		var words []uint32
		for range members {
			words = append(words, 0, 1, 0)
		}
		add(0, recPtr<<24, 0)
		add(0, recStruct<<24|members, 8, words...)
		for range vars {
			add(7, recVar<<24, 2, btfVarGlobal)
		}
	})
	// All VARs have the name of a variable that is there.
	object = rewrite(t, object, func(v *view) { v.symbolNamed("v0").Name = "v" })
	wantError(t, object, fmt.Sprintf(`section ".BTF": types of the variables have more than %d bytes`, maxCopies))
}

// Types that nest as deep as there are types: upstream decodes by recursion.
func TestLimitTypes(t *testing.T) {
	deep := func(n int) []byte {
		return hostile(1, func(add func(name, info, typ uint32, more ...uint32)) {
			for i := range n {
				add(0, recPtr<<24, uint32(i+2))
			}
			add(0, recStruct<<24, 0)
		})
	}
	if _, err := readFile(t, deep(1<<14)).Spec(); err != nil {
		t.Error(err)
	}
	wantError(t, deep(maxTypes), fmt.Sprintf(`section ".BTF": more than %d types`, maxTypes))
}

// Many sections of zeroes that are small by themselves.
func TestLimitZeroes(t *testing.T) {
	object := rewrite(t, readObject(t, "view_bss-el.elf"), func(v *view) {
		for i := range 100 {
			v.sections = append(v.sections, viewSection{
				name: fmt.Sprint(".data.zero", i), size: maxZeroes, header: elf.Section64{Type: uint32(elf.SHT_NOBITS)},
			})
			v.appendSymbol(Symbol{Name: fmt.Sprint("z", i), Size: 1, Section: elf.SectionIndex(len(v.sections) - 1), Type: elf.STT_OBJECT, Binding: elf.STB_GLOBAL})
		}
	})
	spec, err := readFile(t, object).Spec()
	if err != nil {
		t.Fatal(err)
	}
	var contents int
	for name, m := range spec.Maps {
		if strings.HasPrefix(name, ".data.zero") && m.ValueSize != maxZeroes {
			t.Errorf("map %q: value size %d", name, m.ValueSize)
		}
		if len(m.Contents) > 0 {
			contents += len(m.Contents[0].Value.([]byte))
		}
	}
	if contents > maxAllZeroes {
		t.Errorf("%d bytes of contents", contents)
	}
}
