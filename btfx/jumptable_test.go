package btfx

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestViewJumpTables(t *testing.T) {
	bothOrders(t, "jumptable_switch", func(t *testing.T, name string) {
		canary(t, readObject(t, name), "BPF.JT.", "jumpTableSection")
		spec := readSpec(t, name)
		want := map[string][]use{
			"prog": {
				{load, jumpTablesName, 0, 0},
				{load, jumpTablesName, 0, 56},
			},
			"other": {{load, jumpTablesName, 0, 56}},
		}
		got := make(map[string][]use)
		for program := range want {
			for _, use := range usesIn(spec.Programs[program]) {
				if use.Reference == jumpTablesName {
					got[program] = append(got[program], use)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("uses (-want +got):\n%s", diff)
		}
	})
}

func TestJumpTable(t *testing.T) {
	bothOrders(t, "jumptable_switch", func(t *testing.T, name string) {
		f := readFile(t, readObject(t, name))
		for _, test := range []struct {
			offset   uint64
			function string
			want     []uint32
		}{
			{0, "prog", []uint32{9, 26, 13, 33, 39, 40, 19}},
			{56, "sub", []uint32{9, 27, 15, 33, 47, 39, 21}},
		} {
			got, err := f.JumpTable(test.offset, test.function)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("table at offset %d (-want +got):\n%s", test.offset, diff)
			}
		}
	})
}

func TestJumpTableErrors(t *testing.T) {
	for _, test := range []struct {
		name     string
		edit     func(*view)
		offset   uint64
		function string
		want     string
	}{
		{"elsewhere", nil, 8, "prog", "offset 8: no table begins there"},
		{"no such function", nil, 0, "nothing", `no function "nothing"`},
		{"another function", nil, 0, "other", `target 0 is offset 72 of the section of function "other", which has offsets 328 to 384`},
		{"between instructions", func(v *view) {
			binary.LittleEndian.PutUint64(v.section(jumpTablesName).data, 73)
		}, 0, "prog", "target 0 is offset 73"},
		{"too long", func(v *view) { v.symbolNamed("BPF.JT.1.0").Size = 120 }, 0, "prog", `table "BPF.JT.1.0" has 120 bytes, the section 112`},
		{"half an entry", func(v *view) { v.symbolNamed("BPF.JT.1.0").Size = 4 }, 0, "prog", "has 4 bytes: want entries of 8"},
		{"no size", func(v *view) { v.symbolNamed("BPF.JT.1.0").Size = 0 }, 0, "prog", "has 0 bytes: want entries of 8"},
		{"no section", func(v *view) { v.section(jumpTablesName).name = ".other" }, 0, "prog", "no section .jumptables"},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := readObject(t, "jumptable_switch-el.elf")
			if test.edit != nil {
				object = rewrite(t, object, test.edit)
			}
			_, err := readFile(t, object).JumpTable(test.offset, test.function)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
