package sys

import (
	"runtime"
	"unsafe"
)

const cmdObjGetInfoByFD = 15

// linkInfo is the part of struct bpf_link_info that is read.
type linkInfo struct {
	linkType, id, progID, _ uint32
	mapID                   uint32 // struct_ops.map_id
	_                       uint32
}

// LinkMapID returns the ID of the map that a struct_ops link runs, 0 if it is
// detached.
func LinkMapID(fd int) (uint32, error) {
	var info linkInfo
	err := objInfo(fd, unsafe.Pointer(&info), unsafe.Sizeof(info))
	return info.mapID, err
}

// mapInfo is the part of struct bpf_map_info that is read.
type mapInfo struct {
	mapType, id, keySize, valueSize, maxEntries, mapFlags uint32
	name                                                  [objNameLen]byte
	ifindex, btfVmlinuxValueTypeID                        uint32
	netnsDev, netnsIno                                    uint64
	btfID, btfKeyTypeID, btfValueTypeID, btfVmlinuxID     uint32
}

// ValueType returns what BPF_OBJ_GET_INFO_BY_FD tells about the value type of a
// struct_ops map: its ID, and the ID of the BTF object of its module. The latter
// is 0 before Linux 6.9 (1338b93346587), which has struct_ops in vmlinux only.
func ValueType(fd int) (typeID, btfID uint32, err error) {
	var info mapInfo
	err = objInfo(fd, unsafe.Pointer(&info), unsafe.Sizeof(info))
	return info.btfVmlinuxValueTypeID, info.btfVmlinuxID, err
}

func objInfo(fd int, info unsafe.Pointer, size uintptr) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(info)
	attr := struct {
		fd, infoLen uint32
		info        uint64
	}{uint32(fd), uint32(size), uint64(uintptr(info))}
	_, err := bpf(cmdObjGetInfoByFD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	return err
}
