package kfunc

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// readConfigs sets the CONFIG_* values. The kernel's configuration is opened
// only for values that opts.Kconfig does not have.
func readConfigs(values []*configValue, opts *Options) error {
	wanted := make(map[string]*configValue)
	for _, v := range values {
		if strings.HasPrefix(v.Name, "CONFIG_") {
			wanted[v.Name] = v
		}
	}
	if opts.Kconfig != nil && len(wanted) > 0 {
		if err := readConfig(opts.Kconfig, wanted); err != nil {
			return fmt.Errorf("kconfig: %w", err)
		}
	}
	if len(wanted) == 0 {
		return nil
	}

	kernelConfig := opts.KernelConfig
	if kernelConfig == nil {
		f, err := openKernelConfig()
		if err != nil {
			return err
		}
		defer f.Close()
		kernelConfig = f
	}
	if err := readConfig(kernelConfig, wanted); err != nil {
		return fmt.Errorf("kernel configuration: %w", err)
	}
	return nil
}

// openKernelConfig searches where libbpf bpf_object__read_kconfig_file does.
func openKernelConfig() (*os.File, error) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err == nil {
		var f *os.File
		if f, err = os.Open("/boot/config-" + strings.TrimSpace(string(release))); err == nil {
			return f, nil
		}
	}
	f, procErr := os.Open("/proc/config.gz")
	if procErr != nil {
		return nil, fmt.Errorf("kernel configuration: %w; give the values in Options.Kconfig", errors.Join(err, procErr))
	}
	return f, nil
}

// readConfig sets the wanted values that a configuration has and removes them
// from wanted. Each line is `CONFIG_X=value`; others are comments. What can't
// be a value of its extern's type is an error of that extern.
//
// Mirrors libbpf bpf_object__process_kconfig_line: the first line of a name
// counts.
func readConfig(r io.Reader, wanted map[string]*configValue) error {
	br := bufio.NewReader(r)
	r = br
	if magic, _ := br.Peek(2); string(magic) == "\x1f\x8b" {
		zr, err := gzip.NewReader(br)
		if err != nil {
			return err
		}
		defer zr.Close()
		r = zr
	}

	s := bufio.NewScanner(r)
	for n := 1; len(wanted) > 0 && s.Scan(); n++ {
		if s.Err() != nil {
			break // the line is cut off
		}
		if !bytes.HasPrefix(s.Bytes(), []byte("CONFIG_")) {
			continue
		}
		name, value, _ := bytes.Cut(s.Bytes(), []byte("="))
		if len(value) == 0 {
			return fmt.Errorf("line %d: %q has no value", n, s.Bytes())
		}
		v, ok := wanted[string(name)]
		if !ok {
			continue
		}
		delete(wanted, v.Name)
		v.fail(v.setText(string(value)))
	}
	return s.Err()
}
