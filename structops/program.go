package structops

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// program is one program on its way into the kernel.
type program struct {
	name string
	spec *ebpf.ProgramSpec
	ops  *ProgramPlan // nil unless it is a struct_ops program

	funcInfo, lineInfo []byte
	attr               *sys.ProgLoad
	loaded             *ebpf.Program
}

// marshalExtInfos encodes func and line info against the object's BTF. A
// program that begins without func info gets none, as the kernel wants it for
// all functions or for none.
//
// Mirrors libbpf reloc_prog_func_and_line_info.
func (p *program) marshalExtInfos(b *btf.Builder) error {
	insns := p.spec.Instructions
	if len(insns) == 0 {
		return fmt.Errorf("no instructions")
	}
	if btf.FuncMetadata(&insns[0]) == nil {
		return nil
	}
	for i := range insns[1:] {
		ins := &insns[i+1]
		if ins.Symbol() != "" && btf.FuncMetadata(ins) == nil {
			return fmt.Errorf("function %q has no func info, but the program has: compile all of it with -g", ins.Symbol())
		}
	}
	var err error
	p.funcInfo, p.lineInfo, err = btf.MarshalExtInfos(insns, b)
	return err
}

// encode turns the linked instructions into raw ones of the host's byte order.
func (p *program) encode() ([]byte, error) {
	insns := p.spec.Instructions
	buf := bytes.NewBuffer(make([]byte, 0, insns.Size()))
	if err := insns.Marshal(buf, hostOrder()); err != nil {
		return nil, err
	}
	raw := buf.Bytes()
	at := 0 // bytes
	for i := range insns {
		ins := &insns[i]
		if ins.Offset != 0 && ins.OpCode.Class().IsALU() && ins.OpCode.ALUOp() == asm.Mov {
			// asm clears the offset of moves, which makes addr_space_cast a
			// plain move with a stray immediate.
			binary.NativeEndian.PutUint16(raw[at+2:], uint16(ins.Offset))
		}
		at += int(ins.Size())
	}
	return raw, nil
}

// prepare makes the arguments of BPF_PROG_LOAD, but for the instructions.
func (p *program) prepare(l *loader) error {
	spec := p.spec
	p.attr = &sys.ProgLoad{
		Type: uint32(spec.Type), ExpectedAttachType: uint32(spec.AttachType), Flags: spec.Flags,
		KernVersion: spec.KernelVersion, Ifindex: spec.Ifindex,
		Name: spec.Name, License: spec.License,
		FuncInfo: p.funcInfo, LineInfo: p.lineInfo,
	}
	p.attr.BTFFD = l.btfFD()
	if len(p.funcInfo) > 0 {
		p.attr.FuncInfoRecSize = btf.FuncInfoSize
	}
	if len(p.lineInfo) > 0 {
		p.attr.LineInfoRecSize = btf.LineInfoSize
	}
	if len(l.fdArray) > 1 {
		p.attr.FDArray = l.fdArray
	}
	if p.ops != nil {
		p.attr.AttachBTFID = uint32(p.ops.OpsRef.ID)
		p.attr.ExpectedAttachType = p.ops.Index
		p.attr.AttachFD = uint32(l.moduleFD(p.ops.OpsRef))
		return nil
	}
	return p.attachTo(l)
}

// hostOrder is the byte order of this machine, as one of the two values that
// upstream compares with.
func hostOrder() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}
