package structops

import (
	"errors"
	"testing"

	"github.com/cilium/ebpf"
)

func TestAssociate(t *testing.T) {
	needLinks(t)
	coll := mustLoad(t, openGolden(t, "progarray"), nil)
	if err := coll.Associate("one"); err != nil && !errors.Is(err, ebpf.ErrNotSupported) {
		t.Errorf("neither done nor unsupported: %v", err)
	}
	wantError(t, coll.Associate("two"), nil, `no struct_ops map "two", there are: one`)
}
