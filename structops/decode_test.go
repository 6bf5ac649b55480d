package structops

import (
	"bytes"
	"structs"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGetInitial reads what the C source says, in both byte orders.
func TestGetInitial(t *testing.T) {
	for _, order := range []string{"el", "eb"} {
		ops := openShadow(t, order).Ops["values"]
		for path, want := range map[string]any{
			"u32": uint32(7), "name": "shadow", "colour": uint32(5),
			"point.x": int32(-1), "point.y": []uint16{1, 2, 3}, "point.on": uint8(1), "point.level": uint8(9),
			"split.whole": uint32(0x00020001), "negative": int32(-2), "three": uint32(5), "signed_bits_above": uint32(0),
		} {
			got, err := ops.Get(path)
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", order, path, diff)
			}
		}
	}
}

// goPoint is struct point as bpf2go -type generates it; it leaves bitfields blank.
type goPoint struct {
	_ structs.HostLayout
	X int32
	Y [3]uint16
	_ [6]byte
}

// TestAs reads and writes the same bytes as a Go struct, and leaves blank ones alone.
func TestAs(t *testing.T) {
	for _, order := range []string{"el", "eb"} {
		ops := openShadow(t, order).Ops["values"]
		p, err := As[goPoint](ops, "point")
		if err != nil {
			t.Fatal(err)
		}
		if want := (goPoint{X: -1, Y: [3]uint16{1, 2, 3}}); p != want {
			t.Errorf("got %v, want %v", p, want)
		}
		p.X, p.Y[1] = 40, 50
		if err := ops.Set("point", p); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"x": int32(40), "y": []uint16{1, 50, 3}, "on": uint8(1), "level": uint8(9), "_pad": make([]uint8, 5)}
		if diff := cmp.Diff(want, must(ops.Get("point"))); diff != "" {
			t.Errorf("point (-want +got):\n%s", diff)
		}
		raw, err := As[[80]byte](ops, "")
		wantError(t, err, nil, `points to 80 bytes, struct shadow_ops has`)
		_ = raw
		_, err = As[string](ops, "name")
		wantError(t, err, nil, "no type of fixed size")
		_, err = As[uint8](ops, "point.on")
		wantError(t, err, nil, "a bitfield is no Go value")
	}
}

// goTCP is struct tcp_congestion_ops of testdata/tcp.h.
type goTCP struct {
	_                                            structs.HostLayout
	Init, Release, Ssthresh, CongAvoid, UndoCwnd uint64
	Name                                         [16]int8
}

// TestAsWhole reads and writes all of an ops type, but for its callbacks.
func TestAsWhole(t *testing.T) {
	ops := openGolden(t, "one").Ops["one"]
	before := bytes.Clone(ops.Value)
	v, err := As[goTCP](ops, "")
	if err != nil {
		t.Fatal(err)
	}
	if v.Name[0] != 'e' || v.Ssthresh != 0 {
		t.Errorf("got %+v", v)
	}
	if err := ops.Set("", v); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, ops.Value); diff != "" {
		t.Errorf("written back (-want +got):\n%s", diff)
	}
	v.Name = [16]int8{'x'}
	if err := ops.Set("", &v); err != nil {
		t.Fatal(err)
	}
	if got := must(ops.Get("name")); got != "x" {
		t.Errorf("got %q", got)
	}
	v.Init = 1
	wantError(t, ops.Set("", v), nil, `member "init": pointers have no value here: use SetProgram`)
}
