//go:build !linux

package btfx

import (
	"fmt"
	"runtime"

	"github.com/cilium/ebpf"
)

func kernelSupported() error {
	return fmt.Errorf("kernel BTF: %w: no running Linux kernel on %s", ebpf.ErrNotSupported, runtime.GOOS)
}

func readVmlinux() ([]byte, func(), error) { return nil, nil, kernelSupported() }

func readModule(string) ([]byte, error) { return nil, kernelSupported() }

func listModules() ([]*kernelBTF, error) { return nil, kernelSupported() }
