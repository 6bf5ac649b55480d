package structops

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

func openNewer(t testing.TB) *Object {
	t.Helper()
	obj, err := openFile(golden("shadow_newer-el.elf"))
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

// newerErrors name all that no kernel has in testdata/shadow_newer.
var newerErrors = []string{
	`map "newer": member "from_the_future": kernel's struct tcp_congestion_ops (vmlinux) has no such member, and program "from_the_future" fills it`,
	`map "newer": member "also_new"`,
}

func TestMissing(t *testing.T) {
	k := imaginaryKernel(t, tcpOps(), valueType(tcpOps()))
	future := Dropped{"newer", "from_the_future", "from_the_future"}
	also := Dropped{"newer", "also_new", "also_new"}
	for _, tc := range []struct {
		name string
		opts *Options
		want []Dropped
		errs []string
	}{
		{"strict", nil, nil, newerErrors},
		{"drop", &Options{Missing: DropCallbacks}, []Dropped{future, also}, nil},
		{"listed", &Options{MayDrop: []string{"also_new", "from_the_future", "unknown"}}, []Dropped{future, also}, nil},
		{"one listed", &Options{MayDrop: []string{"also_new"}}, nil, newerErrors[:1]},
	} {
		t.Run(tc.name, func(t *testing.T) {
			plan, err := openNewer(t).ResolveWith(k, tc.opts)
			if tc.errs != nil {
				wantError(t, err, ebpf.ErrNotSupported, tc.errs...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, plan.Dropped); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
			for _, p := range plan.Programs {
				if p.Name == "also_new" || p.Name == "from_the_future" {
					t.Errorf("program %q is to be loaded", p.Name)
				}
			}
		})
	}
}

// TestMissingValue proves that no policy drops a value.
func TestMissingValue(t *testing.T) {
	k := imaginaryKernel(t, tcpOps(), valueType(tcpOps()))
	obj := openNewer(t)
	if err := obj.Ops["newer"].Set("new_limit", 1); err != nil {
		t.Fatal(err)
	}
	_, err := obj.ResolveWith(k, &Options{Missing: DropCallbacks})
	wantError(t, err, ebpf.ErrNotSupported, `member "new_limit"`, "its value is not zero")
}

// TestLoadMissing loads an object that is ahead of every kernel, whose callbacks
// call kfuncs that none has.
func TestLoadMissing(t *testing.T) {
	needLinks(t)
	_, err := openNewer(t).Load(nil)
	wantError(t, err, ebpf.ErrNotSupported, append(newerErrors, "bpf_kfunc_of_the_future", "bpf_other_kfunc_of_the_future")...)

	coll := mustLoad(t, openNewer(t), &Options{Missing: DropCallbacks})
	want := []Dropped{{"newer", "from_the_future", "from_the_future"}, {"newer", "also_new", "also_new"}}
	if diff := cmp.Diff(want, coll.Dropped); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
	if coll.Programs["also_new"] != nil || coll.Programs["init"] == nil {
		t.Error("the wrong programs are loaded")
	}
	mustAttach(t, coll, "newer")
}

// TestAssignMissing leaves the fields of dropped programs nil, in a struct that
// names everything as those of bpf2go do.
func TestAssignMissing(t *testing.T) {
	needLinks(t)
	var objs struct {
		Maps struct {
			Newer *ebpf.Map `ebpf:"newer"`
		}
		Init          *ebpf.Program `ebpf:"init"`
		Ssthresh      *ebpf.Program `ebpf:"ssthresh"`
		FromTheFuture *ebpf.Program `ebpf:"from_the_future"`
	}
	wantError(t, openNewer(t).LoadAndAssign(&objs, nil), ebpf.ErrNotSupported, newerErrors...)
	if err := openNewer(t).LoadAndAssign(&objs, &Options{Missing: DropCallbacks}); err != nil {
		t.Fatal(err)
	}
	defer objs.Maps.Newer.Close()
	defer objs.Init.Close()
	defer objs.Ssthresh.Close()
	if objs.FromTheFuture != nil || objs.Init == nil || objs.Ssthresh == nil {
		t.Errorf("assigned %+v", objs)
	}
	lnk, err := Attach(objs.Maps.Newer)
	if err != nil {
		t.Fatal(err)
	}
	if err := lnk.Close(); err != nil {
		t.Error(err)
	}
}

// TestClearedCallbacks leaves programs out that an edit took from their members.
func TestClearedCallbacks(t *testing.T) {
	k := imaginaryKernel(t, tcpOps(), valueType(tcpOps()))
	obj := openNewer(t)
	ops := obj.Ops["newer"]
	for _, member := range []string{"from_the_future", "also_new"} {
		if err := ops.Clear(member); err != nil {
			t.Fatal(err)
		}
	}
	if err := ops.SetProgram("release", "init"); err != nil {
		t.Fatal(err)
	}
	if err := ops.Clear("init"); err != nil {
		t.Fatal(err)
	}
	plan, err := obj.Resolve(k)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"also_new", "from_the_future"}, plan.Skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	if slots := plan.Maps[0].Slots; slots[len(slots)-1].Member != "release" || slots[len(slots)-1].Program != "init" {
		t.Errorf("slots %v", slots)
	}
}

// TestAutocreate switches maps and programs on and off.
func TestAutocreate(t *testing.T) {
	k := imaginaryKernel(t, tcpOps(), valueType(tcpOps()))
	names := func(obj *Object) (names []string) {
		t.Helper()
		plan, err := obj.Resolve(k)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range plan.Maps {
			names = append(names, m.Name)
		}
		for _, p := range plan.Programs {
			names = append(names, p.Name)
		}
		return names
	}
	obj := openGolden(t, "optional")
	reno := []string{"cong_avoid", "ssthresh", "undo_cwnd"}
	if diff := cmp.Diff(append([]string{"normal"}, reno...), names(obj)); diff != "" {
		t.Error(diff)
	}
	for name, create := range map[string]bool{"normal": false, "left": true} {
		if err := obj.Ops[name].SetAutocreate(create); err != nil {
			t.Fatal(err)
		}
	}
	// The programs of a map that is created are loaded, whatever was asked for.
	for _, prog := range []string{"init_left", "ssthresh"} {
		if err := obj.SetAutoload(prog, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := obj.SetAutoload("init_right", true); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"left", "cong_avoid", "init_left", "ssthresh", "undo_cwnd"}, names(obj)); diff != "" {
		t.Error(diff)
	}
	wantError(t, obj.SetAutoload("nope", true), nil, `no program "nope", the object has: absent, cong_avoid`)

	orphan := openGolden(t, "orphan")
	if err := orphan.SetAutoload("orphan", false); err != nil {
		t.Fatal(err)
	}
	if _, err := orphan.Resolve(k); err != nil {
		t.Error(err)
	}
}

// TestEnumByValue copies an enum whose size is another in the kernel.
func TestEnumByValue(t *testing.T) {
	wide := func(size uint32, signed bool) *btf.Enum { return &btf.Enum{Name: "e", Size: size, Signed: signed} }
	for _, tc := range []struct {
		local, kern *btf.Enum
		src, want   []byte
	}{
		{wide(4, false), wide(8, false), []byte{5, 0, 0, 0}, []byte{5, 0, 0, 0, 0, 0, 0, 0}},
		{wide(4, true), wide(8, true), []byte{0xfe, 0xff, 0xff, 0xff}, []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{wide(8, false), wide(4, false), []byte{1, 2, 3, 4, 0, 0, 0, 0}, []byte{1, 2, 3, 4}},
		{wide(4, true), wide(4, false), []byte{0xff, 0xff, 0xff, 0xff}, []byte{0xff, 0xff, 0xff, 0xff}},
		{wide(8, false), wide(4, false), []byte{0, 0, 0, 0, 1, 0, 0, 0}, nil},
		{wide(4, true), wide(8, false), []byte{0xff, 0xff, 0xff, 0xff}, nil},
	} {
		dst := make([]byte, tc.kern.Size)
		err := copyEnum(dst, tc.src, tc.local, tc.kern, openNewer(t).Spec.ByteOrder)
		if tc.want == nil {
			wantError(t, err, ebpf.ErrNotSupported, "out of range")
		} else if err != nil {
			t.Error(err)
		} else if diff := cmp.Diff(tc.want, dst); diff != "" {
			t.Error(diff)
		}
	}
}
