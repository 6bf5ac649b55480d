package structops

import (
	"debug/elf"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/ebpfx/ebpfx/btfx"
	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// arenaSection holds the initial image of an object's arena, its global
// variables with the attribute address_space(1).
const arenaSection = ".addr_space.1"

// Arena is the memory that an arena map shares with its programs.
//
// It is mapped where the programs see it, so that pointers they store can be
// followed. The mapping ends with [Collection.Close].
type Arena struct {
	mem  []byte
	vars map[string]arenaVar
}

// arenaVar is a variable of section .addr_space.1, at its place in the arena.
type arenaVar struct{ offset, size uint64 }

// Memory returns the whole arena. Pages that nobody has allocated are allocated
// by the first access, or end the process if the map has BPF_F_SEGV_ON_FAULT.
func (a *Arena) Memory() []byte { return a.mem }

// Variable returns the memory of a global variable.
func (a *Arena) Variable(name string) ([]byte, error) {
	v, ok := a.vars[name]
	if !ok {
		return nil, fmt.Errorf("no variable %q in the arena, there are: %s", name, strings.Join(slices.Sorted(maps.Keys(a.vars)), ", "))
	}
	return a.mem[v.offset : v.offset+v.size : v.offset+v.size], nil
}

// Address returns the address of a global variable, as user space and programs
// see it.
func (a *Arena) Address(name string) (uint64, error) {
	mem, err := a.Variable(name)
	if err != nil {
		return 0, err
	}
	return sys.Address(mem), nil
}

func (a *Arena) unmap() {
	_ = sys.Munmap(a.mem)
	a.mem = nil
}

// Arena returns the mapping of an arena map.
func (c *Collection) Arena(name string) (*Arena, error) {
	if a := c.arenas[name]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("no arena %q, there are: %s", name, strings.Join(slices.Sorted(maps.Keys(c.arenas)), ", "))
}

// mapArena maps an arena as soon as it exists: programs can't be loaded before
// it has an address. The initial image goes to its end, where it is out of the
// way of allocations, if the kernel lets programs address it there.
//
// Mirrors libbpf bpf_object__create_maps and init_arena_map_data.
func (l *loader) mapArena(name string, m *ebpf.Map, spec *ebpf.MapSpec) error {
	size := uint64(spec.MaxEntries) * uint64(os.Getpagesize())
	if size == 0 || size > math.MaxInt {
		return fmt.Errorf("arena of %d pages", spec.MaxEntries)
	}
	image, vars, err := arenaImage(l.obj.file)
	if err != nil {
		return err
	}
	page := uint64(os.Getpagesize())
	room := (uint64(len(image)) + page - 1) / page * page
	if room > size {
		return fmt.Errorf("section %s has %d bytes, the arena %d", arenaSection, len(image), size)
	}
	mem, err := sys.Mmap(m.FD(), spec.MapExtra, int(size))
	if err != nil {
		return fmt.Errorf("mmap %d bytes at %#x: %w", size, spec.MapExtra, err)
	}
	a := &Arena{mem: mem, vars: make(map[string]arenaVar)}
	l.arenas[name] = a
	if len(image) == 0 {
		return nil
	}
	if l.arenaName != "" {
		return fmt.Errorf("section %s belongs to one of the arenas %q and %q: an object can have one", arenaSection, l.arenaName, name)
	}
	l.arenaName = name
	if haveFullRangeOffset() {
		l.arenaOff = size - room
	}
	for name, v := range vars {
		a.vars[name] = arenaVar{l.arenaOff + v.offset, v.size}
	}
	copy(mem[l.arenaOff:], image)
	return nil
}

// arenaImage returns the contents of section .addr_space.1 and its variables.
func arenaImage(file *btfx.File) ([]byte, map[string]arenaVar, error) {
	if file == nil {
		return nil, nil, nil
	}
	index := slices.IndexFunc(file.Sections, func(s btfx.Section) bool { return s.Name == arenaSection })
	if index < 0 {
		return nil, nil, nil
	}
	image, err := file.Data(elf.SectionIndex(index))
	if err != nil {
		return nil, nil, err
	}
	vars := make(map[string]arenaVar)
	for _, sym := range file.Symbols {
		if int(sym.Section) != index || sym.Type != elf.STT_OBJECT {
			continue
		}
		if sym.Value > uint64(len(image)) || sym.Size > uint64(len(image))-sym.Value {
			return nil, nil, fmt.Errorf("variable %q at offset %d with %d bytes, section %s has %d", sym.Name, sym.Value, sym.Size, arenaSection, len(image))
		}
		vars[sym.Name] = arenaVar{sym.Value, sym.Size}
	}
	return image, vars, nil
}

// linkArena turns the addresses of arena variables into those of their places
// in the arena.
func (l *loader) linkArena(p *program) error {
	for i := range p.spec.Instructions {
		ins := &p.spec.Instructions[i]
		if ins.Reference() != arenaSection {
			continue
		}
		if l.arenaName == "" {
			return fmt.Errorf("instruction %d: the address of a variable in section %s, but the object has no arena map", i, arenaSection)
		}
		offset := uint64(ins.Constant) + l.arenaOff
		if offset > math.MaxUint32 {
			return fmt.Errorf("instruction %d: arena offset %d exceeds 32 bits", i, offset)
		}
		ins.Src = asm.PseudoMapValue
		ins.Constant = int64(offset << 32)
		*ins = ins.WithReference(l.arenaName)
	}
	return nil
}

// haveFullRangeOffset tells whether a program can load an address at any offset
// of a map value. Older kernels stop at 512 MiB.
//
// Mirrors libbpf probe_ldimm64_full_range_off.
func haveFullRangeOffset() bool {
	m, err := newMap(&sys.MapCreate{Type: uint32(ebpf.Array), KeySize: 4, ValueSize: 4, MaxEntries: 1, Name: "probe"})
	if err != nil {
		return false
	}
	defer m.Close()
	probe := program{spec: &ebpf.ProgramSpec{Instructions: asm.Instructions{asm.LoadMapValue(asm.R1, m.FD(), 1<<30), asm.Return()}}}
	insns, err := probe.encode()
	if err != nil {
		return false
	}
	log := make([]byte, 4096)
	fd, err := sys.LoadProg(&sys.ProgLoad{Type: uint32(ebpf.SocketFilter), License: "GPL", Insns: insns, LogLevel: 1, Log: log})
	if err == nil {
		_ = syscall.Close(fd)
		return false // an offset beyond the value must not do
	}
	return !strings.Contains(cstring(log), "direct value offset")
}
