package btfx

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// Kind is a BTF kind, numbered as BTF_KIND_*.
type Kind uint8

// The kinds that are looked up by name.
const (
	KindStruct  Kind = 4
	KindUnion   Kind = 5
	KindEnum    Kind = 6
	KindTypedef Kind = 8
	KindFunc    Kind = 12
	KindVar     Kind = 14
	KindEnum64  Kind = 19
)

// String returns the kind as bpftool writes it, such as "STRUCT".
func (k Kind) String() string {
	names := [...]string{"VOID", "INT", "PTR", "ARRAY", "STRUCT", "UNION", "ENUM", "FWD", "TYPEDEF", "VOLATILE",
		"CONST", "RESTRICT", "FUNC", "FUNC_PROTO", "VAR", "DATASEC", "FLOAT", "DECL_TAG", "TYPE_TAG", "ENUM64"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Ref names a type in kernel BTF.
type Ref struct {
	Module string // empty for vmlinux
	ID     btf.TypeID
}

// Module is the raw split BTF of a kernel module.
type Module struct {
	Name string
	BTF  []byte
}

// Kernel is the BTF of one kernel: vmlinux and its modules. Safe for
// concurrent use.
//
// The raw BTF is kept as it is and never parsed as a whole. Names are found by
// a pass over the bytes, one for all names that are known to be wanted, and
// types are given to [btf.LoadSplitSpecFromReader] in small pieces.
//
// A Kernel has nothing to close: the running kernel's BTF is unmapped when the
// Kernel and its Candidates are garbage.
type Kernel struct {
	mu      sync.Mutex
	running bool

	vmlinux *kernelBTF
	// In BTF ID order. Those of the running kernel are listed when the first
	// name isn't in vmlinux; unlisted says why they can't be.
	modules  []*kernelBTF
	listed   bool
	unlisted error

	// Essential names that were asked for, in order. A scan looks for all those
	// that were added since the last scan of the same BTF.
	wanted  []string
	indices map[string]int
	// Indices of the names announced since the last extraction.
	announced []int

	extractions []*extraction
}

// LoadKernel returns the BTF of the running kernel. Nothing is read before it
// is needed: vmlinux when the first name is looked up, modules when a name
// isn't in vmlinux or a module is named. A module that vanishes meanwhile
// counts as absent.
//
// What looks into the BTF returns an error wrapping [ebpf.ErrNotSupported] if
// the kernel has none. Listing modules needs CAP_SYS_ADMIN; without it only
// vmlinux is searched, as in libbpf load_module_btfs, and the error for a name
// that is not found says so.
//
// Returns an error wrapping [ebpf.ErrNotSupported] on systems other than Linux.
func LoadKernel() (*Kernel, error) {
	if err := kernelSupported(); err != nil {
		return nil, err
	}
	return &Kernel{running: true}, nil
}

// NewKernel makes a kernel from raw BTF of either byte order: that of vmlinux
// (/sys/kernel/btf/vmlinux, or the .BTF section of an ELF file) and the split
// BTF of modules, in the order of their BTF IDs. The bytes are kept and must not
// change any more.
func NewKernel(vmlinux []byte, modules ...Module) (*Kernel, error) {
	k := &Kernel{listed: true}
	var err error
	if k.vmlinux, err = newKernelBTF("", vmlinux, nil); err != nil {
		return nil, err
	}
	if err := k.vmlinux.scan(nil); err != nil {
		return nil, err
	}
	for _, m := range modules {
		if m.Name == "" || k.module(m.Name) != nil {
			return nil, fmt.Errorf("module %q: name is empty or taken", m.Name)
		}
		b, err := newKernelBTF(m.Name, m.BTF, k.vmlinux)
		if err != nil {
			return nil, err
		}
		if err := b.scan(nil); err != nil {
			return nil, err
		}
		k.modules = append(k.modules, b)
	}
	return k, nil
}

// Want announces names that will be looked up, so that one pass finds them
// all, and the types of functions and variables are extracted together.
func (k *Kernel) Want(names ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range names {
		essential := EssentialName(name)
		if _, ok := k.indices[essential]; !ok {
			k.announced = append(k.announced, k.want(essential))
		}
	}
}

// RawBTF reads a file that holds BTF for [NewKernel]: raw BTF as in
// /sys/kernel/btf, or the .BTF section of an ELF file such as vmlinux or a
// module.
//
// Returns an error wrapping [btf.ErrNotFound] if an ELF file has no BTF.
func RawBTF(r io.ReaderAt) ([]byte, error) {
	file, err := elf.NewFile(r)
	if err != nil {
		var format *elf.FormatError
		if !errors.As(err, &format) {
			return nil, fmt.Errorf("BTF: %w", err)
		}
		raw, err := io.ReadAll(io.NewSectionReader(r, 0, math.MaxInt64))
		if err != nil {
			return nil, fmt.Errorf("BTF: %w", err)
		}
		return raw, nil
	}
	section := file.Section(".BTF")
	if section == nil {
		return nil, fmt.Errorf("section %q: %w", ".BTF", btf.ErrNotFound)
	}
	raw, err := section.Data()
	if err != nil {
		return nil, fmt.Errorf("section %q: %w", ".BTF", err)
	}
	return raw, nil
}

// want returns the index of an essential name in k.wanted.
func (k *Kernel) want(essential string) int {
	index, ok := k.indices[essential]
	if !ok {
		if k.indices == nil {
			k.indices = make(map[string]int)
		}
		index = len(k.wanted)
		k.indices[essential] = index
		k.wanted = append(k.wanted, essential)
	}
	return index
}

// Find returns the first type of that kind and name: in vmlinux, then in the
// modules' own types, modules in BTF ID order. The name is compared as it is,
// flavor included.
//
// A name that wasn't announced by [Kernel.Want] costs a pass over the BTF.
//
// Returns an error wrapping [btf.ErrNotFound] if there is no such type.
// Mirrors libbpf find_ksym_btf_id.
func (k *Kernel) Find(kind Kind, name string) (Ref, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	index := k.want(EssentialName(name))

	vmlinux, err := k.base()
	if err != nil {
		return Ref{}, err
	}
	if id, ok := vmlinux.find(index, kind, name); ok {
		return Ref{ID: id}, nil
	}
	if err := k.readModules(); err != nil {
		return Ref{}, err
	}
	for _, m := range k.modules {
		if id, ok := m.find(index, kind, name); ok {
			return Ref{m.module, id}, nil
		}
	}
	if k.unlisted != nil {
		return Ref{}, fmt.Errorf("%v %q: %w in vmlinux BTF; %w", kind, name, btf.ErrNotFound, k.unlisted)
	}
	return Ref{}, fmt.Errorf("%v %q: %w in kernel BTF", kind, name, btf.ErrNotFound)
}

// FindIn is [Kernel.Find] in one BTF object: vmlinux if module is empty,
// otherwise a module with its base, of which vmlinux is searched first. The Ref
// names the module even if the type is one of vmlinux: IDs are the same in both.
//
// Returns an error wrapping [btf.ErrNotFound] if there is no such module or
// type. Mirrors libbpf btf__find_by_name_kind.
func (k *Kernel) FindIn(module string, kind Kind, name string) (Ref, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	index := k.want(EssentialName(name))

	b, err := k.in(module)
	if err != nil {
		return Ref{}, err
	}
	if b.base != nil {
		if id, ok := b.base.find(index, kind, name); ok {
			return Ref{module, id}, nil
		}
	}
	if id, ok := b.find(index, kind, name); ok {
		return Ref{module, id}, nil
	}
	return Ref{}, b.errorf(fmt.Errorf("%v %q: %w in its BTF", kind, name, btf.ErrNotFound))
}

// find returns the first type of that kind and name, which is wanted[index].
func (b *kernelBTF) find(index int, kind Kind, name string) (btf.TypeID, bool) {
	for _, m := range b.matches[index] {
		if m.kind != kind {
			continue
		}
		if s, err := b.name(m.name); err == nil && string(s) == name {
			return btf.TypeID(m.id), true
		}
	}
	return 0, false
}

// ModuleID returns the ID of a module's BTF object in the running kernel, for
// [btf.NewHandleFromID].
//
// Returns an error wrapping [btf.ErrNotFound] if there is no such module, and
// one wrapping [ebpf.ErrNotSupported] if the Kernel is not the running one.
func (k *Kernel) ModuleID(name string) (btf.ID, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.running {
		return 0, fmt.Errorf("module %q: BTF ID: %w: BTF is not the running kernel's", name, ebpf.ErrNotSupported)
	}
	if err := k.list(); err != nil {
		return 0, err
	}
	m := k.module(name)
	if m == nil {
		return 0, k.noModule(name)
	}
	return m.id, nil
}

// base returns vmlinux, scanned for all wanted names.
func (k *Kernel) base() (*kernelBTF, error) {
	if k.vmlinux == nil {
		raw, release, err := readVmlinux()
		if err != nil {
			return nil, err
		}
		b, err := newKernelBTF("", raw, nil)
		if err != nil {
			release()
			return nil, err
		}
		runtime.AddCleanup(b, func(release func()) { release() }, release)
		k.vmlinux = b
	}
	return k.vmlinux, k.vmlinux.scan(k.wanted)
}

// in returns vmlinux or a module, scanned for all wanted names, and so is its
// base.
func (k *Kernel) in(module string) (*kernelBTF, error) {
	vmlinux, err := k.base()
	if err != nil || module == "" {
		return vmlinux, err
	}
	if err := k.list(); err != nil {
		return nil, err
	}
	m := k.module(module)
	if m == nil {
		return nil, k.noModule(module)
	}
	err = m.read(k.vmlinux, k.wanted)
	if errors.Is(err, os.ErrNotExist) {
		return nil, k.noModule(module)
	}
	return m, err
}

// readModules reads all modules and scans them for all wanted names. vmlinux
// must have been scanned.
func (k *Kernel) readModules() error {
	if err := k.list(); err != nil {
		return err
	}
	present := k.modules[:0:0]
	for _, m := range k.modules {
		err := m.read(k.vmlinux, k.wanted)
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		present = append(present, m)
	}
	k.modules = present
	return nil
}

// read makes sure that a module's BTF is there and is scanned. Returns an error
// wrapping [os.ErrNotExist] if the module has vanished.
func (b *kernelBTF) read(vmlinux *kernelBTF, wanted []string) error {
	if b.raw == nil {
		raw, err := readModule(b.module)
		if err != nil {
			return b.errorf(err)
		}
		b.base = vmlinux
		if err := b.open(raw); err != nil {
			return b.errorf(err)
		}
	}
	return b.scan(wanted)
}

// list enumerates the modules of the running kernel.
func (k *Kernel) list() error {
	if k.listed {
		return nil
	}
	modules, err := listModules()
	if errors.Is(err, os.ErrPermission) {
		k.unlisted = err
	} else if err != nil {
		return err
	}
	k.modules, k.listed = modules, true
	return nil
}

func (k *Kernel) module(name string) *kernelBTF {
	for _, m := range k.modules {
		if m.module == name {
			return m
		}
	}
	return nil
}

func (k *Kernel) noModule(name string) error {
	if k.unlisted != nil {
		return fmt.Errorf("module %q: %w", name, k.unlisted)
	}
	return fmt.Errorf("module %q: BTF: %w", name, btf.ErrNotFound)
}
