package structops

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/google/go-cmp/cmp"
)

// caseOf is how far a case of a switch in jumptable_switch.c is told by the
// constant that it alone has.
func caseOf(insns asm.Instructions, target uint32) int64 {
	for iter := insns.Iterate(); iter.Next(); {
		if uint32(iter.Offset) < target {
			continue
		}
		switch op := iter.Ins.OpCode; {
		case op == asm.Exit.Op(asm.ImmSource) || iter.Ins.IsFunctionCall():
			return 0
		case op.Class() == asm.ALU64Class && op.Source() == asm.ImmSource && op.ALUOp() != asm.Mov, op.Class() == asm.StClass:
			return iter.Ins.Constant
		}
	}
	return -1
}

// TestFindJumpTables follows the targets to the instructions that they stand for:
// sub is behind prog in one program, and behind before in the other.
func TestFindJumpTables(t *testing.T) {
	prog := []int64{1, 20, 300, 11, 0, 0, -7}
	sub := []int64{3, 7, 5, -9, 0, 1, 6}
	for _, name := range []string{"jumptable_switch-el.elf", "jumptable_switch-eb.elf"} {
		obj := must(openFile(golden(name)))
		got := make(map[string][][]int64)
		for _, p := range []string{"prog", "other"} {
			insns := obj.Spec.Programs[p].Instructions
			tables, err := findJumpTables(obj.file, insns)
			if err != nil {
				t.Fatalf("%s: program %q: %v", name, p, err)
			}
			for _, table := range tables {
				var cases []int64
				for _, target := range table.targets {
					cases = append(cases, caseOf(insns, target))
				}
				got[p] = append(got[p], cases)
				for _, i := range table.uses {
					if ref := insns[i].Reference(); ref != jumpTables {
						t.Errorf("%s: program %q: instruction %d refers to %q", name, p, i, ref)
					}
				}
			}
		}
		want := map[string][][]int64{"prog": {prog, sub}, "other": {sub}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestJumpTables runs every case of both switches, or reads why the kernel can't.
func TestJumpTables(t *testing.T) {
	needKernel(t)
	coll, err := must(openFile(golden("jumptable_switch-el.elf"))).Load(nil)
	if errors.Is(err, ebpf.ErrNotSupported) {
		wantError(t, err, ebpf.ErrNotSupported,
			`program "prog": jump table at offset 0 of section .jumptables`, "Linux 6.19", "-mcpu=v3 or -fno-jump-tables")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer coll.Close()
	run := func(program string, ctx ...uint64) uint32 {
		t.Helper()
		ret, err := coll.Programs[program].Run(&ebpf.RunOptions{Context: ctx})
		if err != nil {
			t.Fatal(err)
		}
		return ret
	}
	var progs, subs []uint32
	for i := range uint64(8) {
		progs = append(progs, run("prog", i, 2, 5))
		subs = append(subs, run("other", 0, i, 5))
	}
	if want := []uint32{1, 4, 1, 1, 30, 1, 15, 1}; !slices.Equal(want, progs) {
		t.Errorf("prog: %v, want %v", progs, want)
	}
	if want := []uint32{25, 35, 45, 55, 15, 75, 85, 15}; !slices.Equal(want, subs) {
		t.Errorf("other: %v, want %v", subs, want)
	}
}

// TestJumpTableOutside is an object whose table names another function.
func TestJumpTableOutside(t *testing.T) {
	object := must(os.ReadFile(golden("jumptable_switch-el.elf")))
	table := binary.LittleEndian.AppendUint64(nil, 0x48)
	table = binary.LittleEndian.AppendUint64(table, 0xd0)
	at := bytes.Index(object, table)
	if at < 0 {
		t.Fatal("the object has no such table: adapt the test to the compiler")
	}
	binary.LittleEndian.PutUint64(object[at:], 1<<20)
	obj := must(Open(bytes.NewReader(object)))
	var err error
	for _, prog := range obj.Spec.Programs {
		if _, err = findJumpTables(obj.file, prog.Instructions); err != nil {
			break
		}
	}
	wantError(t, err, nil, "target 0 is offset 1048576", "static linking does not keep jump tables")
}
