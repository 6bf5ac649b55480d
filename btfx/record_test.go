package btfx

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf/btf"
)

// Every record has the length that upstream gives it: IDs and names agree for
// all types of all objects.
func TestRecords(t *testing.T) {
	bothOrders(t, "structops_kfuncs", func(t *testing.T, name string) {
		f := readFile(t, readObject(t, name))
		want, err := btf.LoadSpecFromReader(bytes.NewReader(f.types.marshal()))
		if err != nil {
			t.Fatal(err)
		}
		var count int
		for r, err := range f.types.records() {
			if err != nil {
				t.Fatal(err)
			}
			typ, err := want.TypeByID(r.id)
			if err != nil {
				t.Fatal(err)
			}
			if typ.TypeName() != f.types.name(r) {
				t.Errorf("type %d is %q, want %q", r.id, f.types.name(r), typ.TypeName())
			}
			count++
		}
		if _, err := want.TypeByID(btf.TypeID(count + 1)); err == nil {
			t.Errorf("upstream has more than %d types", count)
		}
	})
}

// records of every kind, two of each, as BTF knows them.
func TestRecordSizes(t *testing.T) {
	for kind, want := range map[int]int{
		recInt: 16, recPtr: 12, recArray: 24, recStruct: 12 + 3*12, recUnion: 12 + 3*12, recEnum: 12 + 3*8,
		recFwd: 12, recTypedef: 12, recVolatile: 12, recConst: 12, recRestrict: 12, recFunc: 12,
		recFuncProto: 12 + 3*8, recVar: 16, recDatasec: 12 + 3*12, recFloat: 12, recDeclTag: 16, recTypeTag: 12,
		recEnum64: 12 + 3*12, 0: -1, 20: -1, 31: -1,
	} {
		r := record{order: binary.BigEndian, raw: make([]byte, 12)}
		r.putInfo(kind, 3)
		if got := r.size(); got != want {
			t.Errorf("kind %d: %d bytes, want %d", kind, got, want)
		}
		if r.kind() != kind || r.vlen() != 3 {
			t.Errorf("kind %d, vlen %d after putInfo(%d, 3)", r.kind(), r.vlen(), kind)
		}
	}
}
