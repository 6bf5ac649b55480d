package btfx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

const kernelBTFDir = "/sys/kernel/btf"

func kernelSupported() error { return nil }

// readVmlinux returns the raw BTF of the running kernel, mapped rather than
// copied where the kernel can do so (Linux 6.16, a539e2a6d51d), and a function
// that releases it.
func readVmlinux() ([]byte, func(), error) {
	file, err := os.Open(filepath.Join(kernelBTFDir, "vmlinux"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("kernel BTF: %w: no %s/vmlinux; the kernel needs CONFIG_DEBUG_INFO_BTF, and /sys must be mounted",
			ebpf.ErrNotSupported, kernelBTFDir)
	} else if err != nil {
		return nil, nil, fmt.Errorf("kernel BTF: %w", err)
	}
	defer file.Close()

	// The file never changes, so a mapping is as good as a copy.
	info, err := file.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("kernel BTF: %w", err)
	}
	raw, err := unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err == nil {
		return raw, func() { _ = unix.Munmap(raw) }, nil
	}
	if raw, err = os.ReadFile(file.Name()); err != nil {
		return nil, nil, fmt.Errorf("kernel BTF: %w", err)
	}
	return raw, func() {}, nil
}

// readModule returns the raw split BTF of a module.
func readModule(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(kernelBTFDir, name))
}

// listModules returns the modules of the running kernel that have BTF, in BTF
// ID order, not yet read.
func listModules() ([]*kernelBTF, error) {
	// Without a module there is no need to go through the BTF objects, of which
	// each BPF program may have one.
	entries, err := os.ReadDir(kernelBTFDir)
	if err != nil {
		return nil, fmt.Errorf("modules: %w", err)
	}
	if len(entries) <= 1 {
		return nil, nil
	}

	var modules []*kernelBTF
	var it btf.HandleIterator
	defer func() { it.Handle.Close() }()
	for it.Next() {
		info, err := it.Handle.Info()
		if err != nil {
			return nil, fmt.Errorf("modules: BTF ID %d: %w", it.ID, err)
		}
		if info.IsModule() {
			modules = append(modules, &kernelBTF{module: info.Name, id: it.ID})
		}
	}
	if err := it.Err(); err != nil {
		return nil, fmt.Errorf("modules: %w", err)
	}
	return modules, nil
}
