//go:build linux

package main

import (
	"bytes"
	"debug/elf"
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed init.sh
var initScript []byte

// busybox is where Debian's busybox-static and most other distributions have
// the static binary.
var busybox = []string{"/bin/busybox", "/usr/bin/busybox", "/bin/busybox.static"}

// initramfs returns the file system of the machine, an uncompressed cpio
// archive. Besides busybox, init, the modules and the configuration of the
// kernel it has these files, under the paths that they have on the host:
//
//   - the command's binary, which must be static;
//   - the files of every directory named testdata in the module that the working
//     directory is part of;
//   - ../shared beside the module, if there is one, and the kernel directory, both
//     without bzImage.
//
// The command runs in the same working directory as the runner. Of the
// environment it sees CI and EBPFX_*, plus EBPFX_VM=1.
func initramfs(kernel string, command []string) ([]byte, error) {
	kernel, err := filepath.Abs(kernel)
	if err != nil {
		return nil, err
	}
	cwd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	binary, err := filepath.Abs(command[0])
	if err != nil {
		return nil, err
	}
	if err := checkStatic(binary); err != nil {
		return nil, err
	}
	root := moduleRoot(cwd)

	var a archive
	a.dir(cwd)
	for _, dir := range []string{"/dev", "/proc", "/sys", "/tmp", "/boot", "/modules"} {
		a.dir(dir)
	}
	a.file("/init", initScript, 0o755)
	a.file("/run", runScript(cwd, binary, command[1:], os.Environ()), 0o755)
	a.hostFileAs("/bin/busybox", firstExisting(busybox))
	a.hostFileAs(binary, binary)
	a.hostFileAs("/config", firstExisting([]string{filepath.Join(kernel, "config"), os.DevNull}))

	modules, err := filepath.Glob(filepath.Join(kernel, "*.ko"))
	if err != nil {
		return nil, err
	}
	for _, module := range modules {
		a.hostFileAs("/modules/"+filepath.Base(module), module)
	}
	a.hostTree(root, isTestdata)
	a.hostTree(filepath.Join(root, "../shared"), notImage)
	a.hostTree(kernel, notImage)
	return a.finish()
}

// checkStatic refuses a binary that asks for a dynamic loader: the machine has none.
func checkStatic(binary string) error {
	f, err := elf.Open(binary)
	if err != nil {
		return err
	}
	defer f.Close()
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return fmt.Errorf("%s: dynamically linked, build it with CGO_ENABLED=0", binary)
	}
	return nil
}

// moduleRoot returns the nearest directory above dir that has a go.mod, or dir.
func moduleRoot(dir string) string {
	for d := dir; d != "/"; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d
		}
	}
	return dir
}

// firstExisting returns the first path that exists, or the first one for its error message.
func firstExisting(paths []string) string {
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return paths[0]
}

// runScript is the shell script that becomes the command.
func runScript(cwd, binary string, args, environ []string) []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, "export EBPFX_VM=1 HOME=/ TMPDIR=/tmp")
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if name == "CI" || strings.HasPrefix(name, "EBPFX_") {
			fmt.Fprintf(&b, "export %s=%s\n", name, quote(value))
		}
	}
	fmt.Fprintf(&b, "cd %s\nexec %s", quote(cwd), quote(binary))
	for _, arg := range args {
		fmt.Fprintf(&b, " %s", quote(arg))
	}
	fmt.Fprintln(&b)
	return b.Bytes()
}

// quote makes one word of the shell from any string.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func isTestdata(path string) bool {
	return strings.Contains(path, "/testdata/")
}

func notImage(path string) bool {
	return filepath.Base(path) != "bzImage"
}

// hostTree adds the regular files below dir that keep accepts. A directory that
// does not exist is an empty one.
func (a *archive) hostTree(dir string, keep func(path string) bool) {
	root := dir + "/" // the directory itself may be a symbolic link
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case os.IsNotExist(err) && path == root:
			return filepath.SkipAll
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return filepath.SkipDir
		case d.Type().IsRegular() && keep(path):
			a.hostFileAs(path, path)
		}
		return nil
	})
	a.fail(err)
}

// hostFileAs adds a file of the host under the given path, with its permissions.
func (a *archive) hostFileAs(path, hostPath string) {
	info, err := os.Stat(hostPath)
	if a.fail(err) {
		return
	}
	content, err := os.ReadFile(hostPath)
	if a.fail(err) {
		return
	}
	a.file(path, content, info.Mode().Perm())
}
