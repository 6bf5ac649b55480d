package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func object(name string) string {
	return filepath.Join("..", "..", "..", "testdata", "structops_"+name+"-el.elf")
}

// loadJSON runs the command and decodes its lines.
func loadJSON(t *testing.T, args ...string) (int, []result) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(append([]string{"load", "-json"}, args...), &stdout, &stderr)
	if stderr.Len() > 0 {
		t.Errorf("stderr: %s", &stderr)
	}
	var results []result
	dec := json.NewDecoder(&stdout)
	dec.DisallowUnknownFields()
	for dec.More() {
		var r result
		if err := dec.Decode(&r); err != nil {
			t.Fatal(err)
		}
		r.OpenMS, r.LoadMS, r.AttachMS = 0, 0, 0
		results = append(results, r)
	}
	return status, results
}

func TestLoad(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	slots := map[string]string{"ssthresh": "ssthresh", "cong_avoid": "cong_avoid", "undo_cwnd": "undo_cwnd"}
	legacy := []mapResult{{"legacy", "tcp_congestion_ops", false, slots}}
	want := []result{{Object: object("legacy"), Phase: "load", OK: true, Maps: legacy, Programs: 3, Poisoned: []string{}}}

	status, got := loadJSON(t, object("legacy"))
	if diff := cmp.Diff(want, got); diff != "" || status != 0 {
		t.Errorf("status %d, (-want +got):\n%s", status, diff)
	}

	legacy[0].Attached = true
	want[0].Phase = "attach"
	status, got = loadJSON(t, "-attach", object("legacy"))
	if diff := cmp.Diff(want, got); diff != "" || status != 0 {
		t.Errorf("-attach: status %d, (-want +got):\n%s", status, diff)
	}
}

func TestLoadFailures(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	status, got := loadJSON(t, "-attach", "no_such_file", object("union"), object("unknown_type"), object("legacy"))
	if status != 1 || len(got) != 4 {
		t.Fatalf("status %d, %d results", status, len(got))
	}
	for i, want := range []struct {
		phase, text string
		errno       int
	}{
		{"open", "no such file", 2},
		{"open", "not a struct", 0},
		{"resolve", "my_unknown_ops", 0},
		{"attach", "", 0},
	} {
		r := got[i]
		if r.Phase != want.phase || !strings.Contains(r.Error, want.text) || r.Errno != want.errno || r.OK != (want.text == "") {
			t.Errorf("%s: %+v", r.Object, r)
		}
	}
}

// TestLoadAll proves that optional programs are loaded on request only.
func TestLoadAll(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	_, auto := loadJSON(t, object("optional_legacy"))
	_, all := loadJSON(t, "-programs", "all", object("optional_legacy"))
	if len(auto[0].Maps) != 1 || len(all[0].Maps) != 2 || !all[0].OK {
		t.Errorf("auto: %+v\nall: %+v", auto, all)
	}
}

// TestLoadMissing proves that a callback which the kernel lacks is left out on
// request only.
func TestLoadMissing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Skip("needs a kernel with BTF")
	}
	_, strict := loadJSON(t, object("newer_callback"))
	if strict[0].OK || strict[0].Phase != "resolve" || strict[0].Dropped != nil {
		t.Errorf("strict: %+v", strict)
	}
	_, drop := loadJSON(t, "-missing", "drop", object("newer_callback"))
	if diff := cmp.Diff([]string{"newer.from_the_future"}, drop[0].Dropped); diff != "" || !drop[0].OK {
		t.Errorf("drop: %+v\n%s", drop, diff)
	}
}

// TestLoadPinned proves that nothing stays pinned.
func TestLoadPinned(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	before, err := filepath.Glob("/sys/fs/bpf/*")
	if err != nil {
		t.Fatal(err)
	}
	if status, got := loadJSON(t, object("pinned")); status != 0 {
		t.Errorf("status %d: %+v", status, got)
	}
	after, err := filepath.Glob("/sys/fs/bpf/*")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("pinned, and left there (-before +after):\n%s", diff)
	}
}

func TestLoadReadable(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	var stdout, stderr bytes.Buffer
	status := run([]string{"load", object("legacy"), object("union")}, &stdout, &stderr)
	for _, want := range []string{"ok   load", "legacy (tcp_congestion_ops) loaded: cong_avoid, ssthresh, undo_cwnd", "FAIL open", "not a struct"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, &stdout)
		}
	}
	if status != 1 || stderr.Len() > 0 {
		t.Errorf("status %d, stderr %q", status, &stderr)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"fly"}, {"load"}, {"load", "-programs", "some", "x"}, {"load", "-missing", "some", "x"}, {"load", "-nope"}} {
		var stdout, stderr bytes.Buffer
		if status := run(args, &stdout, &stderr); status != 2 || !strings.Contains(stderr.String(), "usage") && !strings.Contains(stderr.String(), "Usage") {
			t.Errorf("%q: status %d, stderr %q", args, status, &stderr)
		}
	}
}
