//go:build !linux

package sys

import (
	"context"
	"errors"
)

// CreateMap needs Linux.
func CreateMap(*MapCreate) (int, error) { return -1, errors.ErrUnsupported }

// LoadProg needs Linux.
func LoadProg(*ProgLoad) (int, error) { return -1, errors.ErrUnsupported }

// ProbeBTF needs Linux.
func ProbeBTF() error { return errors.ErrUnsupported }

// UpdateLink needs Linux.
func UpdateLink(*LinkUpdate) error { return errors.ErrUnsupported }

// BindMap needs Linux.
func BindMap(int, int) error { return errors.ErrUnsupported }

// AssocStructOps needs Linux.
func AssocStructOps(int, int) error { return errors.ErrUnsupported }

// Mmap needs Linux.
func Mmap(int, uint64, int) ([]byte, error) { return nil, errors.ErrUnsupported }

// Munmap needs Linux.
func Munmap([]byte) error { return errors.ErrUnsupported }

// Address needs Linux.
func Address([]byte) uint64 { return 0 }

// LinkMapID needs Linux.
func LinkMapID(int) (uint32, error) { return 0, errors.ErrUnsupported }

// ValueType needs Linux.
func ValueType(int) (typeID, btfID uint32, err error) { return 0, 0, errors.ErrUnsupported }

// WaitHangup needs Linux.
func WaitHangup(context.Context, int) error { return errors.ErrUnsupported }
