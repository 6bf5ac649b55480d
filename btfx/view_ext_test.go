package btfx

import (
	"bytes"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
)

// withExt returns view_linked-el.elf with another .BTF.ext.
func withExt(t *testing.T, edit func(ext []byte) []byte) []byte {
	t.Helper()
	return rewrite(t, readObject(t, "view_linked-el.elf"), func(v *view) {
		s := v.section(".BTF.ext")
		s.data = edit(s.data)
	})
}

// Objects of which libbpf ignores .BTF.ext after a warning.
func TestViewExtInfoIgnored(t *testing.T) {
	le := readFile(t, readObject(t, "view_linked-el.elf")).ByteOrder
	for name, edit := range map[string]func([]byte) []byte{
		"short header":  func([]byte) []byte { return []byte{0x9f, 0xeb, 1, 0} },
		"header only":   func(b []byte) []byte { return b[:32] },
		"magic":         func(b []byte) []byte { b[0] = 0; return b },
		"version":       func(b []byte) []byte { b[2] = 2; return b },
		"header length": func(b []byte) []byte { le.PutUint32(b[4:], 8); return b },
		"truncated":     func(b []byte) []byte { return b[:len(b)-4] },
		"record size":   func(b []byte) []byte { le.PutUint32(b[32:], 4); return b },
		"no records":    func(b []byte) []byte { le.PutUint32(b[40:], 0); return b },
		"many records":  func(b []byte) []byte { le.PutUint32(b[40:], 1<<31); return b },
	} {
		t.Run(name, func(t *testing.T) {
			object := withExt(t, edit)
			canary(t, object, "load BTF", "leaving out .BTF.ext")
			spec, err := readFile(t, object).Spec()
			if err != nil {
				t.Fatal(err)
			}
			for name, p := range spec.Programs {
				for _, i := range infosIn(p) {
					if i.Func != "" || i.Line != "" || i.Relocation != "" {
						t.Errorf("program %q: %+v", name, i)
					}
				}
			}
		})
	}
}

// gcc 12 writes no func_info, and clang 8 a header that ends before CO-RE.
func TestViewExtInfoPartial(t *testing.T) {
	le := readFile(t, readObject(t, "view_linked-el.elf")).ByteOrder
	t.Run("no func_info", func(t *testing.T) {
		object := withExt(t, func(b []byte) []byte { le.PutUint32(b[12:], 0); return b })
		canary(t, object, "parsing BTF function info: can't read record size: EOF", "appendGroups for parts without records")
		spec, err := readFile(t, object).Spec()
		if err != nil {
			t.Fatal(err)
		}
		infos := infosIn(spec.Programs["second"])
		if infos[0].Func != "" || infos[0].Line == "" || infos[2].Relocation == "" {
			t.Errorf("infos %+v", infos)
		}
	})
	t.Run("no CO-RE", func(t *testing.T) {
		object := withExt(t, func(b []byte) []byte {
			le.PutUint32(b[4:], 24)
			return slices.Delete(b, 24, 32)
		})
		canary(t, object, "CO-RE", "writing the header of .BTF.ext anew")
		spec, err := readFile(t, object).Spec()
		if err != nil {
			t.Fatal(err)
		}
		if infos := infosIn(spec.Programs["second"]); len(infos) != 3 || infos[2].Func != "shared" {
			t.Errorf("infos %+v", infos)
		}
	})
}

// A record that upstream can't place must not cost those behind it.
func TestViewExtInfoRecords(t *testing.T) {
	le := readFile(t, readObject(t, "view_linked-el.elf")).ByteOrder
	records := func(b []byte, kind int) []byte {
		return b[32+le.Uint32(b[8+8*kind:])+12:] // record size and group header
	}
	want := infosIn(readSpec(t, "view_linked-el.elf").Programs["second"])

	repeated := withExt(t, func(b []byte) []byte {
		lines := records(b, 1)
		copy(lines[16:20], lines[:4])
		return b
	})
	plain, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(repeated))
	if err != nil {
		t.Fatal(err)
	}
	if infos := infosIn(plain.Programs["second"]); infos[1].Line != "" {
		t.Error("upstream copes with two line_infos at one offset: the view no longer needs cleanGroup")
	}
	spec, err := readFile(t, repeated).Spec()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, infosIn(spec.Programs["second"])); diff != "" {
		t.Errorf("infos (-want +got):\n%s", diff)
	}

	unplaced := withExt(t, func(b []byte) []byte {
		le.PutUint32(records(b, 2), 4096)
		return b
	})
	_, err = readFile(t, unplaced).Spec()
	wantErr := `section ".BTF.ext": CO-RE relocation at offset 4096 of section ".text": not at an instruction of its own`
	if err == nil || err.Error() != wantErr {
		t.Errorf("error %v, want %s", err, wantErr)
	}
}
