package structops

import (
	"errors"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"

	"github.com/ebpfx/ebpfx/btfx"
)

// nameValue is a kernel value of the imaginary tcp_congestion_ops with a name.
func nameValue(name string) []byte {
	value := make([]byte, 64+128)
	copy(value[64+40:], name)
	return value
}

func TestResolve(t *testing.T) {
	// IDs: 1 is the ops type, 2 the value type.
	k := imaginaryKernel(t, tcpOps(), valueType(tcpOps()))
	tcp := func(name, value string, slots ...Slot) MapPlan {
		return MapPlan{
			Name: name, OpsType: "tcp_congestion_ops",
			OpsRef: btfx.Ref{ID: 1}, ValueRef: btfx.Ref{ID: 2},
			ValueSize: 192, DataOffset: 64, StateOffset: 4, Link: true,
			Value: nameValue(value), Slots: slots,
		}
	}
	slot := func(i uint32, member, prog string) Slot { return Slot{member, i, 64 + 8*i, prog} }
	reno := []Slot{slot(0, "ssthresh", "ssthresh"), slot(1, "cong_avoid", "cong_avoid"), slot(2, "undo_cwnd", "undo_cwnd")}
	with := func(more ...Slot) []Slot { return append(reno[:3:3], more...) }
	prog := func(name string, i uint32) ProgramPlan { return ProgramPlan{name, btfx.Ref{ID: 1}, i} }
	renoProgs := []ProgramPlan{prog("cong_avoid", 1), prog("ssthresh", 0), prog("undo_cwnd", 2)}

	legacy := tcp("legacy", "ebpfx_legacy", reno...)
	legacy.Link = false
	for name, want := range map[string]*Plan{
		"one":    {Maps: []MapPlan{tcp("one", "ebpfx_one", reno...)}, Programs: renoProgs},
		"legacy": {Maps: []MapPlan{legacy}, Programs: renoProgs},
		"static": {Maps: []MapPlan{tcp("one", "ebpfx_static", reno...)}, Programs: renoProgs},
		"flavor": {Maps: []MapPlan{tcp("flavored", "ebpfx_flavor", reno...)}, Programs: renoProgs},
		"two": {
			Maps: []MapPlan{
				tcp("first", "ebpfx_first", with(slot(3, "init", "init_first"), slot(4, "release", "release_first"))...),
				tcp("second", "ebpfx_second", with(slot(3, "init", "init_second"))...),
			},
			Programs: []ProgramPlan{
				prog("cong_avoid", 1), prog("init_first", 3), prog("init_second", 3), prog("release_first", 4), prog("ssthresh", 0), prog("undo_cwnd", 2),
			},
		},
		"reuse_same": {
			Maps:     []MapPlan{tcp("first", "ebpfx_same1", reno...), tcp("second", "ebpfx_same2", reno...)},
			Programs: renoProgs,
		},
		"optional": {
			Maps:     []MapPlan{tcp("normal", "ebpfx_normal", reno...)},
			Programs: renoProgs,
			Skipped:  []string{"init_left", "init_right", "left", "right"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := openGolden(t, name).Resolve(k)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// TestResolveNested proves that the bytes of a nested struct reach the kernel value.
func TestResolveNested(t *testing.T) {
	k := imaginaryKernel(t, tcpOps(), valueType(tcpOps()))
	plan, err := openGolden(t, "nested").Resolve(k)
	if err != nil {
		t.Fatal(err)
	}
	list := plan.Maps[0].Value[64+72 : 64+88]
	if diff := cmp.Diff([]byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0}, list); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

func TestResolveErrors(t *testing.T) {
	tcp := []btf.Type{tcpOps(), valueType(tcpOps())}
	noData := valueType(tcpOps())
	noData.Members = noData.Members[:1]
	short := valueType(tcpOps())
	short.Size = 100
	noState := valueType(tcpOps())
	noState.Members = noState.Members[1:]
	bitfield := tcpOps()
	bitfield.Members[7].BitfieldSize = 3
	bigEnd := tcpOps()
	bigEnd.Members[7].Offset = btf.Bits(bigEnd.Size) * 8

	for _, tc := range []struct {
		object string
		types  []btf.Type
		is     error
		want   []string
	}{
		{"one", nil, ebpf.ErrNotSupported, []string{`map "one": kernel has no struct_ops "tcp_congestion_ops"`}},
		{"one", nil, btf.ErrNotFound, nil},
		{"one", []btf.Type{noData, tcpOps()}, nil, []string{`map "one": value type bpf_struct_ops_tcp_congestion_ops has no data member of type struct tcp_congestion_ops`}},
		{"one", []btf.Type{short}, nil, []string{`data member at offset 64 with 88 bytes, the value type has 100`}},
		{"one", []btf.Type{noState}, nil, []string{`has no member "state"`}},
		{"size", []btf.Type{bitfield, valueType(bitfield)}, ebpf.ErrNotSupported, []string{`map "one": member "flags": kernel: bitfield`}},
		{"size", []btf.Type{bigEnd, valueType(bigEnd)}, nil, []string{`member "flags": kernel: offset`}},
		{"bitfield", tcp, ebpf.ErrNotSupported, []string{`map "one": member "flags": bitfield`}},
		{"size", tcp, ebpf.ErrNotSupported, []string{`map "one": member "flags": size 8, kernel has 4`}},
		{"kind", tcp, ebpf.ErrNotSupported, []string{`map "one": member "flags": is ENUM, kernel has INT`}},
		{"kind_pointer", tcp, ebpf.ErrNotSupported, []string{`map "one": member "owner": is INT, kernel has PTR`}},
		{"kind_function", tcp, ebpf.ErrNotSupported, []string{`map "one": member "owner": program`, "no function pointer"}},
		{"newer_callback", tcp, ebpf.ErrNotSupported, []string{`map "newer": member "from_the_future": kernel's struct tcp_congestion_ops (vmlinux) has no such member`}},
		{"newer_value", tcp, ebpf.ErrNotSupported, []string{`map "newer": member "from_the_future"`, "its value is not zero"}},
		{"data_pointer", tcp, ebpf.ErrNotSupported, []string{`map "one": member "owner": non-zero pointer`}},
		{"reuse", tcp, nil, []string{`program "both" fills member "init" of map "one" and member "release" of map "one"`}},
		{"orphan", tcp, nil, []string{`program "orphan": no struct_ops map to be created has it in a member`}},
		{"unknown_type", tcp, ebpf.ErrNotSupported, []string{`struct_ops "my_unknown_ops"`}},
	} {
		t.Run(tc.object, func(t *testing.T) {
			types := tc.types
			if types == nil {
				types = []btf.Type{tInt}
			}
			plan, err := openGolden(t, tc.object).Resolve(imaginaryKernel(t, types...))
			if err == nil {
				t.Fatalf("no error, plan:\n%v", plan)
			}
			if tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("error does not wrap %v: %v", tc.is, err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error:\n%v\nshould contain:\n%s", err, want)
				}
			}
		})
	}
}

// TestResolveJoined proves that one run shows all that does not fit.
func TestResolveJoined(t *testing.T) {
	ops := tcpOps()
	ops.Members = ops.Members[3:] // no ssthresh, cong_avoid, undo_cwnd
	_, err := openGolden(t, "two").Resolve(imaginaryKernel(t, ops, valueType(ops)))
	if err == nil {
		t.Fatal("no error")
	}
	for _, m := range []string{"first", "second"} {
		for _, member := range []string{"ssthresh", "cong_avoid", "undo_cwnd"} {
			if want := `map "` + m + `": member "` + member + `"`; !strings.Contains(err.Error(), want) {
				t.Errorf("%s is missing in:\n%v", want, err)
			}
		}
	}
	if strings.Contains(err.Error(), "no struct_ops map to be created") {
		t.Errorf("consequential errors in:\n%v", err)
	}
}

func TestResolveDeterministic(t *testing.T) {
	k := imaginaryKernel(t, tcpOps(), valueType(tcpOps()))
	first, err := openGolden(t, "two").Resolve(k)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		again, err := openGolden(t, "two").Resolve(k)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatal(diff)
		}
	}
}
