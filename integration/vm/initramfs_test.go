//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArchive(t *testing.T) {
	var a archive
	a.file("/ab", []byte("hello"), 0o755)
	a.file("/ab", []byte("again"), 0o644)
	got, err := a.finish()
	if err != nil {
		t.Fatal(err)
	}
	const want = "070701" +
		"00000001" + // ino
		"000081ed" + // mode: regular file, 0755
		"00000000" + "00000000" + // uid, gid
		"00000001" + // nlink
		"00000000" + // mtime
		"00000005" + // filesize
		"00000000" + "00000000" + "00000000" + "00000000" + // devices
		"00000004" + // namesize
		"00000000" + // check
		"/ab\x00\x00\x00" + // 110 bytes of header, so two bytes to the next multiple of 4
		"hello\x00\x00\x00" +
		"070701" + "00000002" + "00000000" + "00000000" + "00000000" + "00000001" + "00000000" + "00000000" +
		"00000000" + "00000000" + "00000000" + "00000000" + "0000000b" + "00000000" +
		"TRAILER!!!\x00\x00\x00\x00"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
}

func TestArchiveDirectories(t *testing.T) {
	var want, got archive
	want.dir("/a")
	want.dir("/a/b")
	want.file("/a/b/c", nil, 0o644)
	got.file("/a/b/c", nil, 0o644)
	if diff := cmp.Diff(want.buf.String(), got.buf.String()); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
}

func TestHostTree(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "testdata/a", ".git/testdata/b"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}

	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}

	var a archive
	a.hostTree(dir, isTestdata)
	a.hostTree(link, isTestdata)
	a.hostTree(filepath.Join(dir, "absent"), isTestdata)
	if a.err != nil {
		t.Fatal(a.err)
	}
	var files []string
	for _, name := range []string{"go.mod", "testdata/a", ".git/testdata/b"} {
		if a.seen[filepath.Join(dir, name)] {
			files = append(files, name)
		}
	}
	if diff := cmp.Diff([]string{"testdata/a"}, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}

	if !a.seen[filepath.Join(link, "testdata/a")] {
		t.Error("a link to a directory is not followed")
	}

	if a.hostFileAs("/x", filepath.Join(dir, "absent")); a.err == nil {
		t.Error("a missing file is no error")
	}
}

func TestModuleRoot(t *testing.T) {
	dir := t.TempDir()
	sub := filepath.Join(dir, "a/b")
	if err := os.MkdirAll(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := moduleRoot(sub); got != sub {
		t.Errorf("without go.mod: got %s, want %s", got, sub)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := moduleRoot(sub); got != dir {
		t.Errorf("with go.mod: got %s, want %s", got, dir)
	}
}

func TestRunScript(t *testing.T) {
	dir := t.TempDir()
	args := []string{"-c", `printf '%s\n' "$PWD" "$EBPFX_A" "${HOST_ONLY-unset}" "$@"`, "sh", "it's", "two words", ""}
	script := runScript(dir, "/bin/sh", args, []string{"EBPFX_A=a $b", "HOST_ONLY=1"})

	got, err := exec.Command("/bin/sh", "-c", string(script)).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := dir + "\na $b\nunset\nit's\ntwo words\n\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestReadResult(t *testing.T) {
	for _, tc := range []struct {
		name, content string
		status        int
		ok            bool
	}{
		{"passed", "exit 0\n", 0, true},
		{"failed", "exit 2\n", 2, true},
		{"panicked", "", 0, false},
		{"cut off", "exit", 0, false},
		{"cut off in the number", "exit 1", 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "result")
			if err := os.WriteFile(path, []byte(tc.content), 0o644); err != nil {
				t.Fatal(err)
			}
			status, ok := readResult(path)
			if ok != tc.ok || ok && status != tc.status {
				t.Errorf("got %d, %t; want %d, %t", status, ok, tc.status, tc.ok)
			}
		})
	}
}
