//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
)

// archive writes the cpio format "newc", which the kernel unpacks (see
// Documentation/driver-api/early-userspace/buffer-format.rst). The zero value
// is empty and ready to use. The first error sticks; finish reports it.
type archive struct {
	buf  bytes.Buffer
	seen map[string]bool
	err  error
}

// File types in the mode of an entry, as in inode(7).
const (
	typeDir  = 0o040000
	typeFile = 0o100000
)

// file adds a regular file and the directories above it. Of two files with the
// same name the first one stays.
func (a *archive) file(name string, content []byte, perm fs.FileMode) {
	a.dir(path.Dir(name))
	a.entry(name, typeFile|uint32(perm), content)
}

// dir adds a directory and those above it.
func (a *archive) dir(name string) {
	if name == "/" || name == "." {
		return
	}
	a.dir(path.Dir(name))
	a.entry(name, typeDir|0o755, nil)
}

// entry adds the header, the name and the content, the latter two padded to a
// multiple of 4 bytes.
func (a *archive) entry(name string, mode uint32, content []byte) {
	if a.seen[name] {
		return
	}
	if a.seen == nil {
		a.seen = make(map[string]bool)
	}
	a.seen[name] = true

	// ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor,
	// rdevmajor, rdevminor, namesize with the NUL, check.
	a.buf.WriteString("070701")
	for _, field := range []int{len(a.seen), int(mode), 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0} {
		fmt.Fprintf(&a.buf, "%08x", field)
	}
	a.buf.WriteString(name + "\x00")
	a.pad()
	a.buf.Write(content)
	a.pad()
}

func (a *archive) pad() {
	a.buf.Write(make([]byte, -a.buf.Len()&3))
}

// fail keeps the first error and reports whether err is one.
func (a *archive) fail(err error) bool {
	if a.err == nil {
		a.err = err
	}
	return err != nil
}

// finish ends the archive and returns its bytes.
func (a *archive) finish() ([]byte, error) {
	a.entry("TRAILER!!!", 0, nil)
	return a.buf.Bytes(), a.err
}
