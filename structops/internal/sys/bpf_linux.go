package sys

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	cmdMapCreate   = 0
	cmdProgLoad    = 5
	cmdBTFLoad     = 18
	cmdLinkUpdate  = 29
	cmdProgBindMap = 35
	cmdAssocOps    = 38

	objNameLen = 16
)

type mapCreateAttr struct {
	mapType, keySize, valueSize, maxEntries, mapFlags uint32
	innerMapFD, numaNode                              uint32
	mapName                                           [objNameLen]byte
	mapIfindex                                        uint32
	btfFD, btfKeyTypeID, btfValueTypeID               uint32
	btfVmlinuxValueTypeID                             uint32
	mapExtra                                          uint64
	valueTypeBTFObjFD, mapTokenFD                     int32
}

// CreateMap runs BPF_MAP_CREATE. The caller owns the FD.
func CreateMap(m *MapCreate) (int, error) {
	attr := mapCreateAttr{
		mapType: m.Type, keySize: m.KeySize, valueSize: m.ValueSize, maxEntries: m.MaxEntries, mapFlags: m.Flags,
		innerMapFD: m.InnerMapFD, numaNode: m.NumaNode,
		mapName: objName(m.Name),
		btfFD:   m.BTFFD, btfKeyTypeID: m.KeyTypeID, btfValueTypeID: m.ValueTypeID,
		btfVmlinuxValueTypeID: m.VmlinuxValueTypeID,
		mapExtra:              m.Extra, valueTypeBTFObjFD: m.ValueTypeBTFObjFD,
	}
	return bpfFD(cmdMapCreate, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
}

type progLoadAttr struct {
	progType, insnCnt            uint32
	insns, license               uint64
	logLevel, logSize            uint32
	logBuf                       uint64
	kernVersion, progFlags       uint32
	progName                     [objNameLen]byte
	progIfindex                  uint32
	expectedAttachType           uint32
	progBTFFD                    uint32
	funcInfoRecSize              uint32
	funcInfo                     uint64
	funcInfoCnt                  uint32
	lineInfoRecSize              uint32
	lineInfo                     uint64
	lineInfoCnt                  uint32
	attachBTFID, attachFD        uint32
	coreReloCnt                  uint32
	fdArray, coreRelos           uint64
	coreReloRecSize, logTrueSize uint32
	progTokenFD                  int32
	_                            uint32
}

// LoadProg runs BPF_PROG_LOAD. The caller owns the FD. A load that a signal
// interrupts (EAGAIN) is repeated with the profiler's signal held off, which would
// interrupt a long verification again and again.
func LoadProg(p *ProgLoad) (int, error) {
	const insnSize = 8
	var pin runtime.Pinner
	defer pin.Unpin()

	attr := progLoadAttr{
		progType: p.Type, insnCnt: uint32(len(p.Insns) / insnSize),
		insns:    bytesPointer(&pin, p.Insns),
		license:  bytesPointer(&pin, append([]byte(p.License), 0)),
		logLevel: p.LogLevel, logSize: uint32(len(p.Log)), logBuf: bytesPointer(&pin, p.Log),
		kernVersion: p.KernVersion, progFlags: p.Flags,
		progName:    objName(p.Name),
		progIfindex: p.Ifindex, expectedAttachType: p.ExpectedAttachType,
		progBTFFD:       p.BTFFD,
		funcInfoRecSize: p.FuncInfoRecSize, funcInfo: bytesPointer(&pin, p.FuncInfo),
		lineInfoRecSize: p.LineInfoRecSize, lineInfo: bytesPointer(&pin, p.LineInfo),
		attachBTFID: p.AttachBTFID, attachFD: p.AttachFD,
	}
	if p.FuncInfoRecSize != 0 {
		attr.funcInfoCnt = uint32(len(p.FuncInfo)) / p.FuncInfoRecSize
	}
	if p.LineInfoRecSize != 0 {
		attr.lineInfoCnt = uint32(len(p.LineInfo)) / p.LineInfoRecSize
	}
	if len(p.FDArray) > 0 {
		pin.Pin(&p.FDArray[0])
		attr.fdArray = uint64(uintptr(unsafe.Pointer(&p.FDArray[0])))
	}

	fd, err := bpfFD(cmdProgLoad, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	if errors.Is(err, unix.EAGAIN) {
		// Not before: it costs a thread and two system calls.
		unmask, maskErr := maskProfilerSignal()
		if maskErr != nil {
			return -1, maskErr
		}
		defer unmask()
		for errors.Is(err, unix.EAGAIN) {
			fd, err = bpfFD(cmdProgLoad, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
		}
	}
	p.LogTrueSize = attr.logTrueSize
	return fd, err
}

// ProbeBTF runs BPF_BTF_LOAD without any BTF, so it never succeeds: the error is
// EPERM if the caller may not load BTF, and EINVAL if it may.
func ProbeBTF() error {
	var attr struct {
		btf, logBuf                uint64
		btfSize, logSize, logLevel uint32
		_                          uint32
	}
	_, err := bpf(cmdBTFLoad, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	return err
}

// UpdateLink runs BPF_LINK_UPDATE on a struct_ops link.
func UpdateLink(u *LinkUpdate) error {
	attr := struct{ linkFD, newMapFD, flags, oldMapFD uint32 }{u.LinkFD, u.NewMapFD, u.Flags, u.OldMapFD}
	_, err := bpf(cmdLinkUpdate, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	return err
}

// BindMap runs BPF_PROG_BIND_MAP: the map lives as long as the program.
func BindMap(progFD, mapFD int) error {
	attr := struct{ progFD, mapFD, flags uint32 }{uint32(progFD), uint32(mapFD), 0}
	_, err := bpf(cmdProgBindMap, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	return err
}

// AssocStructOps runs BPF_PROG_ASSOC_STRUCT_OPS.
func AssocStructOps(mapFD, progFD int) error {
	attr := struct{ mapFD, progFD, flags uint32 }{uint32(mapFD), uint32(progFD), 0}
	_, err := bpf(cmdAssocOps, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	return err
}

// objName cuts a name to what fits into a bpf_attr. Characters that the kernel
// does not take are left out, as cilium/ebpf does.
func objName(name string) (out [objNameLen]byte) {
	n := 0
	for _, c := range []byte(name) {
		legal := c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if legal && n < objNameLen-1 {
			out[n] = c
			n++
		}
	}
	return out
}

func bytesPointer(pin *runtime.Pinner, b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	pin.Pin(&b[0])
	return uint64(uintptr(unsafe.Pointer(&b[0])))
}

// bpfFD runs a command that returns an FD.
func bpfFD(cmd uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	fd, err := bpf(cmd, attr, size)
	if err != nil {
		return -1, err
	}
	return int(fd), nil
}

func bpf(cmd uintptr, attr unsafe.Pointer, size uintptr) (uintptr, error) {
	r, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(attr), size)
	runtime.KeepAlive(attr)
	if errno != 0 {
		return 0, errno
	}
	return r, nil
}

// maskProfilerSignal blocks SIGPROF on the calling thread until the returned
// function is called.
func maskProfilerSignal() (func(), error) {
	const wordBits = int(unsafe.Sizeof(unix.Sigset_t{}.Val[0])) * 8
	var set, old unix.Sigset_t
	bit := int(unix.SIGPROF) - 1
	set.Val[bit/wordBits] |= 1 << (bit % wordBits)

	runtime.LockOSThread()
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &old); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return func() {
		// Setting a mask that the kernel has just handed out cannot fail.
		_ = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
		runtime.UnlockOSThread()
	}, nil
}
