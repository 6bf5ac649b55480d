package structops

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/ebpfx/ebpfx/btfx"
	"github.com/ebpfx/ebpfx/kfunc"
)

// Load creates the object's maps and loads its programs. Optional maps and
// programs (sections that begin with ?) are left out. struct_ops maps are created, but
// nothing is registered before [Collection.Attach].
//
// The object is not changed and may be loaded again. The caller closes the
// collection. A load that fails leaves nothing behind in the kernel.
//
// Returns an error that wraps [ebpf.ErrNotSupported] if the kernel lacks
// something, and one that [errors.As] turns into an [ebpf.VerifierError] if a
// program is refused: of several such programs, the first one by name is
// reported.
//
// Mirrors libbpf bpf_object__load.
func (o *Object) Load(opts *Options) (*Collection, error) {
	return o.load(opts, selectAll())
}

// load loads what sel has picked.
func (o *Object) load(options *Options, sel *selection) (_ *Collection, err error) {
	opts, err := options.orDefaults()
	if err != nil {
		return nil, err
	}
	if err := o.loadable(); err != nil {
		return nil, err
	}
	obj, err := o.withStatic()
	if err != nil {
		return nil, err
	}
	l := &loader{opts: opts, obj: sel.reduce(obj), sel: sel}
	defer func() {
		if err != nil {
			l.close()
		}
		l.closeHandles()
	}()
	for _, step := range []func() error{
		l.resolve,
		l.relocateTypes,
		l.loadBTF,
		l.openModules,
		l.createMaps,
		l.link,
		l.loadAndFill,
		l.fillProgArrays,
		l.bindConstants,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return l.collection(), nil
}

// loadable refuses an object of the other byte order.
func (o *Object) loadable() error {
	if order := o.Spec.ByteOrder; order != nil && order != hostOrder() {
		return fmt.Errorf("object is %v, this machine is %v: compile it for this machine's byte order", order, hostOrder())
	}
	return nil
}

// loader carries an object through the stages of a load.
type loader struct {
	opts Options
	obj  *Object // a reduced copy, edited freely
	sel  *selection

	plan    *Plan
	externs *kfunc.Resolution

	// CO-RE relocations, nil if there are none, and the instructions that they
	// belong to.
	relocations *btfx.Relocations
	relocated   []*asm.Instruction
	relos       []*btf.CORERelocation

	progs []*program // sorted by name

	builder *btf.Builder
	btf     *btf.Handle // the object's BTF
	// Why the kernel refused the object's BTF, nil unless the load went on without.
	btfRefusal error
	modules    map[string]kfunc.ModuleFD
	handles    []*btf.Handle // of modules, in fd_array order
	fdArray    []int32       // entry 0 is vmlinux

	ops       map[string]*ebpf.Map // struct_ops maps
	ownMaps   []*ownMap            // other maps that need the object's BTF
	typedMaps []typedMap           // ordinary maps that have types
	own       map[string]*ebpf.Map
	arenas    map[string]*Arena
	coll      *ebpf.Collection

	jumpTables []*ebpf.Map // held by programs once they are loaded

	// The arena that has the object's arena variables, and where in it they
	// begin, in bytes.
	arenaName string
	arenaOff  uint64
}

// resolve looks everything up that the object takes from the kernel. All names
// are announced first, so that the kernel's BTF is searched once.
func (l *loader) resolve() error {
	externs, err := kfunc.Externs(l.obj.Spec, l.obj.file)
	if err != nil {
		return err
	}
	if err := l.collectRelocations(); err != nil {
		return err
	}
	for _, e := range externs {
		l.opts.Kernel.Want(btfx.EssentialName(e.Name))
	}
	if l.relocations != nil && l.opts.Programs.KernelTypes == nil {
		l.opts.Kernel.Want(l.relocations.Names()...)
	}
	l.wantTargets()

	if l.plan, err = l.obj.resolve(l.opts.Kernel, l.sel.named, &l.opts); err != nil {
		return l.withMissingExterns(err)
	}
	programs := len(l.obj.Spec.Programs)
	if err := l.selectPrograms(); err != nil {
		return err
	}
	if len(l.progs) != programs {
		// What only the others refer to may be missing.
		if externs, err = kfunc.Externs(l.obj.Spec, l.obj.file); err != nil {
			return err
		}
		if err := l.collectRelocations(); err != nil {
			return err
		}
	}
	l.externs, err = kfunc.Resolve(externs, l.opts.Kernel, l.opts.Externs)
	return err
}

// selectPrograms drops what is not to be loaded and sorts the rest by name.
//
// Mirrors libbpf bpf_object_load_prog in that a program without a type is an error;
// cilium/ebpf leaves it out.
func (l *loader) selectPrograms() error {
	spec := l.obj.Spec
	planned := make(map[string]ProgramPlan)
	for _, p := range l.plan.Programs {
		planned[p.Name] = p
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(spec.Programs)) {
		prog := spec.Programs[name]
		pp, inPlan := planned[name]
		if prog.Type == ebpf.UnspecifiedProgram && strings.HasPrefix(prog.SectionName, ".text.") {
			delete(spec.Programs, name) // where compilers put cold functions
			continue
		}
		if prog.Type == ebpf.UnspecifiedProgram {
			errs = append(errs, fmt.Errorf("program %q: section %q tells no program type: set Type in its ProgramSpec, or delete the program from the spec",
				name, prog.SectionName))
			continue
		}
		if prog.Type == ebpf.StructOps && !inPlan {
			delete(spec.Programs, name)
			continue
		}
		p := &program{name: name, spec: prog}
		if inPlan {
			p.ops = &pp
		}
		l.progs = append(l.progs, p)
	}
	return errors.Join(errs...)
}

// relocateTypes applies CO-RE relocations and encodes func and line info.
func (l *loader) relocateTypes() error {
	builder, err := btfx.NewBuilder(l.obj.Spec.Types, foreignTypes(l.obj.Spec))
	if err != nil {
		return err
	}
	l.builder = builder
	if err := l.relocateCORE(); err != nil {
		return err
	}
	for _, p := range l.progs {
		if err := p.marshalExtInfos(builder); err != nil {
			return fmt.Errorf("program %q: %w", p.name, err)
		}
	}
	return nil
}

// foreignTypes tells whether maps or programs of a spec refer to types that are
// not those in Types, as they do after [ebpf.CollectionSpec.Copy].
func foreignTypes(spec *ebpf.CollectionSpec) bool {
	if spec.Types == nil {
		return false
	}
	foreign := func(typ btf.Type) bool {
		_, err := spec.Types.TypeID(typ)
		return err != nil
	}
	for _, m := range spec.Maps {
		if m.Value != nil && foreign(m.Value) {
			return true
		}
	}
	for _, prog := range spec.Programs {
		if fn := entryFunc(prog); fn != nil && foreign(fn) {
			return true
		}
	}
	return false
}

// entryFunc returns the FUNC of a program, nil if it has none.
func entryFunc(prog *ebpf.ProgramSpec) *btf.Func {
	if len(prog.Instructions) == 0 {
		return nil
	}
	return btf.FuncMetadata(&prog.Instructions[0])
}

// loadBTF loads the one BTF that programs and maps refer to. An object without
// struct_ops maps goes on without if the kernel refuses it.
//
// Mirrors libbpf bpf_object__sanitize_and_load_btf.
func (l *loader) loadBTF() error {
	if err := l.addMapTypes(); err != nil {
		return err
	}
	if l.builder.Empty() {
		return nil
	}
	handle, err := btfx.LoadBTF(l.builder)
	if err == nil {
		l.btf = handle
		return nil
	}
	err = explainBTF(err)
	if len(l.obj.Ops) > 0 || errors.Is(err, syscall.EPERM) {
		return err
	}
	l.dropBTF(err)
	return nil
}

// dropBTF leaves out all that refers to the object's BTF.
func (l *loader) dropBTF(refusal error) {
	l.btfRefusal = refusal
	for _, p := range l.progs {
		p.funcInfo, p.lineInfo = nil, nil
	}
	for _, om := range l.ownMaps {
		om.keyID, om.valueID, om.innerKey, om.innerV = 0, 0, 0, 0
	}
	for i := range l.typedMaps {
		l.typedMaps[i].keyID, l.typedMaps[i].valueID = 0, 0
	}
}

// btfFD returns the FD of the object's BTF, 0 if it has none.
func (l *loader) btfFD() uint32 {
	if l.btf == nil {
		return 0
	}
	return uint32(l.btf.FD())
}

// openModules opens the BTF of every module that a type or extern was found in.
func (l *loader) openModules() error {
	l.modules = make(map[string]kfunc.ModuleFD)
	l.fdArray = []int32{0}
	for _, m := range l.plan.Maps {
		if err := l.openModule(m.OpsRef.Module); err != nil {
			return err
		}
	}
	for _, e := range l.externs.Externs {
		if err := l.openModule(e.Ref.Module); err != nil {
			return err
		}
	}
	return nil
}

// openModule opens the BTF of a module, once, and gives it a place in the
// fd_array.
func (l *loader) openModule(name string) error {
	if _, ok := l.modules[name]; ok || name == "" {
		return nil
	}
	if len(l.fdArray) > math.MaxInt16 {
		return fmt.Errorf("module %q: more than %d modules in one fd_array", name, math.MaxInt16)
	}
	id, err := l.opts.Kernel.ModuleID(name)
	if err != nil {
		return err
	}
	handle, err := btf.NewHandleFromID(id)
	if err != nil {
		return fmt.Errorf("module %q: open its BTF: %w", name, err)
	}
	l.handles = append(l.handles, handle)
	l.modules[name] = kfunc.ModuleFD{Index: int16(len(l.fdArray)), FD: handle.FD()}
	l.fdArray = append(l.fdArray, int32(handle.FD()))
	return nil
}

// moduleFD returns the FD of the BTF that a type is in, 0 for vmlinux.
func (l *loader) moduleFD(ref btfx.Ref) int { return l.modules[ref.Module].FD }

// link puts map FDs and the addresses of externs into instructions.
func (l *loader) link() error {
	var errs []error
	for _, p := range l.progs {
		err := l.linkArena(p)
		if err == nil {
			err = l.linkJumpTables(p)
		}
		if err == nil {
			err = l.externs.Apply(p.spec.Instructions, l.modules)
		}
		if err == nil {
			err = l.linkMaps(p)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("program %q: %w", p.name, err))
		}
	}
	return errors.Join(errs...)
}

// collection hands everything over to the caller.
func (l *loader) collection() *Collection {
	coll := &Collection{
		Collection: l.coll, Plan: l.plan, Dropped: l.plan.Dropped, Externs: l.externs, BTFRefusal: l.btfRefusal,
		arenas: l.arenas, ops: make(map[string]*opsMap),
	}
	for _, p := range l.progs {
		coll.Programs[p.name] = p.loaded
	}
	coll.Maps[kconfigMap].Close()
	delete(coll.Maps, kconfigMap)
	maps.Copy(coll.Maps, l.own)
	for _, m := range l.plan.Maps {
		if l.ops[m.Name] == nil {
			continue // planned for the sake of its callbacks
		}
		om := &opsMap{MapPlan: m, m: l.ops[m.Name]}
		for _, s := range m.Slots {
			om.progs = append(om.progs, coll.Programs[s.Program])
		}
		coll.ops[m.Name] = om
		coll.Maps[m.Name] = om.m
	}
	return coll
}

// close closes what a failed load has created.
func (l *loader) close() {
	for _, p := range l.progs {
		p.loaded.Close()
	}
	for _, m := range l.ops {
		m.Close()
	}
	for _, m := range l.own {
		m.Close()
	}
	for _, a := range l.arenas {
		a.unmap()
	}
	if l.coll != nil {
		l.coll.Close()
	}
}

// closeHandles closes what maps and programs hold themselves by now.
func (l *loader) closeHandles() {
	l.btf.Close()
	for _, m := range l.jumpTables {
		m.Close()
	}
	for _, h := range l.handles {
		h.Close()
	}
}
