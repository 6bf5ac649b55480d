package btfx

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withLayout returns raw BTF with the header that names a layout section, and one
// of 4 bytes between types and strings.
func withLayout(tb testing.TB, raw []byte) []byte {
	tb.Helper()
	e, err := newEditor(raw)
	if err != nil {
		tb.Fatal(err)
	}
	e.header = slices.Concat(e.header, make([]byte, btfLayoutHeaderSize-btfHeaderSize))
	e.order.PutUint32(e.header[4:], btfLayoutHeaderSize)
	e.layout = []byte{1, 2, 3, 4}
	return e.marshal()
}

func TestEditorUnchanged(t *testing.T) {
	raw := everyKind(t, binary.BigEndian)
	for name, raw := range map[string][]byte{
		"plain":  raw,
		"layout": withLayout(t, raw),
	} {
		t.Run(name, func(t *testing.T) {
			e, err := newEditor(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(raw, e.marshal()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEditorAppends(t *testing.T) {
	raw := withLayout(t, everyKind(t, binary.LittleEndian))
	before := bytes.Clone(raw)
	e, err := newEditor(raw)
	if err != nil {
		t.Fatal(err)
	}
	id := e.addRecord(e.addString("added"), recFloat<<24, 4)
	got := e.marshal()

	header := make([]uint32, 6)
	if _, err := binary.Decode(got[8:32], binary.LittleEndian, header); err != nil {
		t.Fatal(err)
	}
	types, strings := uint32(len(e.types)+12), uint32(len(e.strings))
	if diff := cmp.Diff([]uint32{0, types, types + 4, strings, types, 4}, header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	again, err := newEditor(got)
	if err != nil {
		t.Fatal(err)
	}
	if r := again.at(id); r.kind() != recFloat || again.name(r) != "added" {
		t.Errorf("record %d: %x", id, r.raw)
	}
	for _, id := range []uint32{0, id + 1, 1<<32 - 1} {
		if kind := again.at(id).kind(); kind != 0 {
			t.Errorf("record %d: kind %d", id, kind)
		}
	}
	if !bytes.Equal(raw, before) {
		t.Error("the input has changed")
	}
}
