package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mmap maps a map's memory, shared. With addr other than 0 the mapping is there
// or fails with EEXIST.
func Mmap(fd int, addr uint64, length int) ([]byte, error) {
	flags := unix.MAP_SHARED
	if addr != 0 {
		flags |= unix.MAP_FIXED_NOREPLACE
	}
	p, err := unix.MmapPtr(fd, 0, pointer(addr), uintptr(length), unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(p), length), nil
}

// pointer turns an address that is no Go memory into a pointer.
func pointer(addr uint64) unsafe.Pointer {
	p := uintptr(addr)
	return *(*unsafe.Pointer)(unsafe.Pointer(&p))
}

// Munmap removes a mapping of [Mmap].
func Munmap(mem []byte) error {
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(mem)), uintptr(len(mem)))
}

// Address returns where memory of [Mmap] is.
func Address(mem []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem)))) }
