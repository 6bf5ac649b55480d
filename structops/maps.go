package structops

import (
	"fmt"
	"maps"
	"math/bits"
	"os"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/ebpfx/ebpfx/structops/internal/sys"
)

// kconfigMap is the map of the values of __kconfig externs, one per object. Only
// programs hold it.
const kconfigMap = ".kconfig"

// createMaps creates all maps: those that have types by ourselves with the
// object's BTF, the others by upstream.
func (l *loader) createMaps() error {
	if err := l.createOpsMaps(); err != nil {
		return err
	}
	if err := l.createOwnMaps(); err != nil {
		return err
	}
	spec := l.ordinaryMaps()
	opts := l.opts.CollectionOptions
	opts.MapReplacements = maps.Clone(opts.MapReplacements)
	for _, om := range l.ownMaps {
		delete(opts.MapReplacements, om.name)
	}
	typed, err := l.createTypedMaps(spec, &opts)
	for _, m := range typed {
		defer m.Close() // the collection has a copy
	}
	if err != nil {
		return err
	}
	if l.btfRefusal != nil {
		dropTypes(spec)
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, opts)
	if err != nil {
		return firstRefusal(spec, opts, err)
	}
	l.coll = coll
	return l.fillOwnMaps()
}

// ordinaryMaps returns a spec of the maps that upstream can create, in which they
// are as it should create them.
func (l *loader) ordinaryMaps() *ebpf.CollectionSpec {
	spec := *l.obj.Spec
	spec.Programs = nil
	spec.Maps = make(map[string]*ebpf.MapSpec)
	for name, m := range l.obj.Spec.Maps {
		m = copyMap(m)
		spec.Maps[name] = m
		roundRingBuf(m)
		if m.Type == ebpf.ProgramArray || storesMaps(m.Type) {
			m.Contents = nil // filled when the programs are loaded, or meanwhile
		}
		if !takesTypes(m.Type) {
			// Upstream would try with types first, and find out that they can't
			// have any: with sockmaps, after tens of milliseconds.
			m.Key, m.Value = nil, nil
		}
	}
	if m := l.externs.KconfigMap(); m != nil {
		spec.Maps[kconfigMap] = m
	}
	return &spec
}

// firstRefusal returns the error of the first map by name that can't be created,
// or err. Upstream creates maps in random order.
func firstRefusal(spec *ebpf.CollectionSpec, opts ebpf.CollectionOptions, err error) error {
	for _, name := range slices.Sorted(maps.Keys(spec.Maps)) {
		if opts.MapReplacements[name] != nil {
			continue
		}
		bare := copyMap(spec.Maps[name])
		bare.Contents = nil
		if bare.Pinning == ebpf.PinByName && opts.Maps.PinPath == "" {
			return fmt.Errorf("map %q: pinned by name, but Options.Maps.PinPath is empty", name)
		}
		bare.Pinning = ebpf.PinNone
		m, refused := ebpf.NewMap(bare)
		if refused != nil {
			return fmt.Errorf("map %q: %w", name, refused)
		}
		m.Close()
	}
	return err
}

// dropTypes leaves out the BTF of maps, which upstream would load.
func dropTypes(spec *ebpf.CollectionSpec) {
	for _, m := range spec.Maps {
		for ; m != nil; m = m.InnerMap {
			m.Key, m.Value = nil, nil
		}
	}
}

// createOpsMaps creates the struct_ops maps. They are populated at attach.
func (l *loader) createOpsMaps() error {
	l.ops = make(map[string]*ebpf.Map)
	for _, p := range l.plan.Maps {
		if !l.sel.creates(p.Name) {
			continue
		}
		create := &sys.MapCreate{
			Type: sys.MapTypeStructOps, KeySize: 4, ValueSize: p.ValueSize, MaxEntries: 1,
			Name:               p.Name,
			BTFFD:              l.btfFD(),
			VmlinuxValueTypeID: uint32(p.ValueRef.ID),
		}
		if p.Link {
			create.Flags |= sys.FlagLink
		}
		if p.ValueRef.Module != "" {
			create.Flags |= sys.FlagVtypeBTFObjFD
			create.ValueTypeBTFObjFD = int32(l.moduleFD(p.ValueRef))
		}
		m, err := newMap(create)
		if err != nil {
			return explainCreate(&p, err)
		}
		l.ops[p.Name] = m
	}
	return nil
}

// newMap creates a map. The caller closes it.
func newMap(create *sys.MapCreate) (*ebpf.Map, error) {
	fd, err := sys.CreateMap(create)
	if err != nil {
		return nil, err
	}
	return ebpf.NewMapFromFD(fd)
}

// roundRingBuf rounds the size of a ring buffer up to what the kernel takes: a
// power of two, and at least a page. One without a size is left to the kernel's
// refusal: the caller was to set it.
//
// Mirrors libbpf adjust_ringbuf_sz.
func roundRingBuf(m *ebpf.MapSpec) {
	if m.InnerMap != nil {
		roundRingBuf(m.InnerMap)
	}
	const userRingBuf = 31
	if m.Type != ebpf.RingBuf && m.Type != userRingBuf || m.MaxEntries == 0 {
		return
	}
	page := uint32(os.Getpagesize())
	size := max(m.MaxEntries, page)
	if size&(size-1) != 0 && size < 1<<31 {
		size = 1 << bits.Len32(size)
	}
	m.MaxEntries = size
}
