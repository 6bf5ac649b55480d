//go:build !linux

package sys

import "errors"

// CreateMap needs Linux.
func CreateMap(*MapCreate) (int, error) { return -1, errors.ErrUnsupported }

// LoadProg needs Linux.
func LoadProg(*ProgLoad) (int, error) { return -1, errors.ErrUnsupported }

// FreezeMap needs Linux.
func FreezeMap(int) error { return errors.ErrUnsupported }

// UpdateLink needs Linux.
func UpdateLink(*LinkUpdate) error { return errors.ErrUnsupported }

// BindMap needs Linux.
func BindMap(int, int) error { return errors.ErrUnsupported }

// AssocStructOps needs Linux.
func AssocStructOps(int, int) error { return errors.ErrUnsupported }

// Close needs Linux.
func Close(int) error { return errors.ErrUnsupported }

// Mmap needs Linux.
func Mmap(int, uint64, int) ([]byte, error) { return nil, errors.ErrUnsupported }

// Munmap needs Linux.
func Munmap([]byte) error { return errors.ErrUnsupported }

// Address needs Linux.
func Address([]byte) uint64 { return 0 }
