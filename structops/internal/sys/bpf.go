package sys

// MapCreate is the argument of BPF_MAP_CREATE.
type MapCreate struct {
	Type       uint32
	KeySize    uint32 // in bytes
	ValueSize  uint32 // in bytes
	MaxEntries uint32
	Flags      uint32
	InnerMapFD uint32
	NumaNode   uint32
	// Name is cut to 15 bytes.
	Name string
	// BTFFD is the object's BTF, which key, value and special fields refer to.
	BTFFD       uint32
	KeyTypeID   uint32
	ValueTypeID uint32
	// VmlinuxValueTypeID is the value type of a struct_ops map, in vmlinux or
	// in the module whose BTF is ValueTypeBTFObjFD.
	VmlinuxValueTypeID uint32
	Extra              uint64
	ValueTypeBTFObjFD  int32
}

// ProgLoad is the argument of BPF_PROG_LOAD.
type ProgLoad struct {
	Type               uint32
	ExpectedAttachType uint32
	Flags              uint32
	KernVersion        uint32
	Ifindex            uint32
	// Name is cut to 15 bytes.
	Name    string
	License string
	// Insns are raw instructions of 8 bytes each, in the host's byte order.
	Insns []byte
	// BTFFD is the object's BTF, which FuncInfo and LineInfo refer to.
	BTFFD           uint32
	FuncInfo        []byte
	FuncInfoRecSize uint32 // in bytes
	LineInfo        []byte
	LineInfoRecSize uint32 // in bytes
	AttachBTFID     uint32
	// AttachFD is the target program of a freplace, or the BTF of the module
	// that AttachBTFID belongs to; 0 for vmlinux.
	AttachFD uint32
	// FDArray holds module BTF FDs; entry 0 is reserved for vmlinux.
	FDArray []int32

	LogLevel uint32
	// Log receives the verifier's output, zero terminated.
	Log []byte
	// LogTrueSize is set by the kernel to the size the log needs, in bytes.
	// Linux 6.4 (47a71c1f9af0), 0 before.
	LogTrueSize uint32
}

// LinkUpdate is the argument of BPF_LINK_UPDATE for struct_ops links.
type LinkUpdate struct {
	LinkFD   uint32
	NewMapFD uint32
	Flags    uint32
	OldMapFD uint32 // with BPF_F_REPLACE
}

// Numbers of the kernel's UAPI that are used with this package.
const (
	MapTypeStructOps = 26
	MapTypeInsnArray = 34 // Linux 6.19

	FlagMmapable      = 1 << 10 // BPF_F_MMAPABLE
	FlagLink          = 1 << 13 // BPF_F_LINK, Linux 6.4 (68b04864ca42)
	FlagVtypeBTFObjFD = 1 << 15 // BPF_F_VTYPE_BTF_OBJ_FD, Linux 6.9 (fcc2c1fb0651)
	FlagReplace       = 1 << 2  // BPF_F_REPLACE
)
