package structops

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSetGet writes members of every kind and reads them back, in both byte orders.
func TestSetGet(t *testing.T) {
	type dict = map[string]any
	point := dict{"x": int32(-5), "y": []uint16{7, 8, 9}, "on": uint8(0), "level": uint8(31), "_pad": make([]uint8, 5)}
	other := dict{"x": int32(1), "y": []uint16{0, 0, 1}, "on": uint8(1), "level": uint8(0), "_pad": make([]uint8, 5)}
	for _, tc := range []struct {
		path      string
		set, want any
	}{
		{"i8", -128, int8(-128)},
		{"u8", uint64(255), uint8(255)},
		{"i16", int8(-2), int16(-2)},
		{"u16", 65535, uint16(65535)},
		{"i32", -1, int32(-1)},
		{"u32", uint32(5000), uint32(5000)},
		{"i64", int64(-1) << 63, int64(-1) << 63},
		{"u64", ^uint64(0), ^uint64(0)},
		{"flag", true, true},
		{"flag", 1, true},
		{"letter", 'x', int8('x')},
		{"name", "seven77", "seven77"},
		{"name", []byte("ab\x00\x00\x00\x00\x00\x00"), "ab"},
		{"raw", []byte{1, 2, 3, 4}, []byte{1, 2, 3, 4}},
		{"raw[3]", 200, uint8(200)},
		{"colour", "BLUE", uint32(0xffffffff)},
		{"colour", 5, uint32(5)},
		{"signed_colour", "DARK", int32(-3)},
		{"wide", "LARGE", uint64(0x100000000)},
		{"point.x", -7, int32(-7)},
		{"point.y[2]", 513, uint16(513)},
		{"point.y", [3]uint16{4, 5, 6}, []uint16{4, 5, 6}},
		{"point.on", 0, uint8(0)},
		{"point.level", 21, uint8(21)},
		{"point", point, point},
		{"points[1]", other, other},
		{"points", []any{point, other}, []map[string]any{point, other}},
		{"points[0].y[1]", 9, uint16(9)},
		{"grid[1][2]", 99, uint32(99)},
		{"grid", [2][3]uint32{{1, 2, 3}, {4, 5, 6}}, [][]uint32{{1, 2, 3}, {4, 5, 6}}},
		{"split.whole", 0xffff, uint32(0xffff)},
		{"split.low", 1, uint16(1)},
		{"anonymous", 1 << 40, uint64(1 << 40)},
		{"bytes[0]", 1, uint8(1)},
		{"data", nil, uint64(0)},
		{"target", 0, uint64(0)},
		{"three", 7, uint32(7)},
		{"signed_bits_above", 1<<20 - 1, uint32(1<<20 - 1)},
		{"negative", -16, int32(-16)},
	} {
		for _, order := range []string{"el", "eb"} {
			t.Run(tc.path+"-"+order, func(t *testing.T) {
				ops := openShadow(t, order).Ops["values"]
				before := ops.Copy()
				if err := ops.Set(tc.path, tc.set); err != nil {
					t.Fatal(err)
				}
				got, err := ops.Get(tc.path)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("value (-want +got):\n%s", diff)
				}
				if err := ops.Set(tc.path, must(before.Get(tc.path))); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before.Value, ops.Value); diff != "" {
					t.Errorf("other bytes have changed (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestSetErrors(t *testing.T) {
	for _, tc := range []struct {
		path  string
		value any
		want  string
	}{
		{"nope", 1, `struct shadow_ops has no member "nope", it has: first, same, other, i8`},
		{"point.nope", 1, `has no member "nope", it has: x, y, on, level, _pad`},
		{"point.x.y", 1, `has no members`},
		{"u32[0]", 1, `is not an array`},
		{"raw[4]", 1, `index 4, the array has 4 elements`},
		{"raw[-1]", 1, `index "-1": not a number`},
		{"raw[1", 1, `no closing ]`},
		{"raw[0]x", 1, `want . or [ after "raw[0]"`},
		{"point.", 1, `has no member ""`},
		{"u8", 256, "256 is out of range, 0 to 255"},
		{"u8", -1, "-1 is out of range, 0 to 255"},
		{"i8", 128, "128 is out of range, -128 to 127"},
		{"i64", ^uint64(0), "out of range, -9223372036854775808 to 9223372036854775807"},
		{"three", 8, "8 is out of range, 0 to 7"},
		{"negative", -17, "-17 is out of range, -16 to 15"},
		{"flag", 2, "2 is out of range, 0 to 1"},
		{"u32", true, "bool is no integer"},
		{"u32", "7", "string is no integer"},
		{"u32", nil, "nil is no integer"},
		{"colour", "PINK", `enum colour has no enumerator "PINK", it has: RED, GREEN, BLUE`},
		{"name", "eightlong", "string of 9 bytes, the array has 8 with the terminating zero"},
		{"name", "12345678", "string of 8 bytes, the array has 8 with the terminating zero"},
		{"name", "a\x00b", "contains a zero byte"},
		{"raw", "text", "a string fits an array of char only"},
		{"raw", []byte{1}, "1 elements, the array has 4"},
		{"raw", 7, "int does not fit an array"},
		{"grid", [2][]int{{1, 2, 3}, {4}}, "element 1: 1 elements, the array has 3"},
		{"point", map[string]any{"z": 1, "zz": 1}, `has no member "z", it has: x`},
		{"point", map[string]any{"y": []int{1, 2, -3}}, `member "y": element 2: -3 is out of range`},
		{"point", struct{ X int32 }{}, "has 4 bytes"},
		{"point", "x", "has no fixed size and is no map of members"},
		{"split", map[string]any{"whole": 1, "low": 2, "high": 0}, `has another value than those after it`},
		{"data", 1, "a pointer can only be nil"},
		{"first", nil, `member "first" is a callback: use Program, SetProgram or Clear`},
		{"", map[string]any{"first": 1}, "a pointer can only be nil"},
	} {
		t.Run(tc.path, func(t *testing.T) {
			ops := openShadow(t, "el").Ops["values"]
			before := bytes.Clone(ops.Value)
			wantError(t, ops.Set(tc.path, tc.value), nil, `map "values": `, tc.want)
			if !bytes.Equal(before, ops.Value) {
				t.Error("the value has changed")
			}
		})
	}
}
