package structops

import (
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

func TestFits(t *testing.T) {
	ptr := func(typ btf.Type) btf.FuncParam { return btf.FuncParam{Type: &btf.Pointer{Target: typ}} }
	sock, task := &btf.Struct{Name: "sock"}, &btf.Struct{Name: "task_struct"}
	proto := func(ret btf.Type, params ...btf.FuncParam) *btf.FuncProto {
		return &btf.FuncProto{Return: ret, Params: params}
	}
	void := &btf.Void{}
	for _, tc := range []struct {
		name string
		a, b *btf.FuncProto
		want bool
	}{
		{"same", proto(tU32, ptr(sock)), proto(tInt, ptr(sock)), true},
		{"flavor", proto(void, ptr(&btf.Struct{Name: "sock___old"})), proto(void, ptr(sock)), true},
		{"forward", proto(void, ptr(&btf.Fwd{Name: "sock"})), proto(void, ptr(sock)), true},
		{"void pointer", proto(void, ptr(void)), proto(void, ptr(sock)), true},
		{"const", proto(void, ptr(&btf.Const{Type: sock})), proto(void, ptr(sock)), true},
		{"other struct", proto(void, ptr(task)), proto(void, ptr(sock)), false},
		{"count", proto(void, ptr(sock)), proto(void, ptr(sock), ptr(task)), false},
		{"order", proto(void, ptr(sock), ptr(task)), proto(void, ptr(task), ptr(sock)), false},
		{"pointer for number", proto(void, btf.FuncParam{Type: tU64}), proto(void, ptr(sock)), false},
		{"size", proto(void, btf.FuncParam{Type: tU64}), proto(void, btf.FuncParam{Type: tU32}), false},
		{"result", proto(tU32), proto(void), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := fits(tc.a, tc.b); got != tc.want {
				t.Errorf("got %t", got)
			}
			if got := fits(tc.b, tc.a); got != tc.want {
				t.Errorf("the other way round: got %t", got)
			}
		})
	}
}

// TestMismatch reports other prototypes without refusing what libbpf loads, and
// explains with them what the verifier refuses.
func TestMismatch(t *testing.T) {
	obj, err := openFile(golden("shadow_prototype-el.elf"))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := obj.Resolve(imaginaryKernel(t, tcpOps(), valueType(tcpOps())))
	if err != nil {
		t.Fatal(err)
	}
	want := []Mismatch{
		{"odd", "init", "init", "void init(struct sock *, u32)", "void init(struct sock *sk)"},
		{"odd", "release", "release", "u32 release(u32)", "void release(struct sock *sk)"},
	}
	if diff := cmp.Diff(want, plan.Mismatches); diff != "" {
		t.Errorf("mismatches (-want +got):\n%s", diff)
	}

	needLinks(t)
	coll := mustLoad(t, obj, nil)
	if len(coll.Plan.Mismatches) != 2 {
		t.Errorf("mismatches %v", coll.Plan.Mismatches)
	}
	mustAttach(t, coll, "odd")

	if err := obj.Ops["worse"].SetAutocreate(true); err != nil {
		t.Fatal(err)
	}
	_, err = obj.Load(nil)
	wantError(t, err, nil, `program "deref"`, `member "release": program "deref" is written for "u32 release(u32)", kernel calls "void release(struct sock *)"`)
}
