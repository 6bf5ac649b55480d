package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const run = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"    a_test.go:1: unseen\n"}
{"Action":"pass","Package":"p","Test":"TestGood","Elapsed":0}
{"Action":"run","Package":"p","Test":"TestOld"}
{"Action":"output","Package":"p","Test":"TestOld","Output":"    a_test.go:9: needs Linux 9.9\n"}
{"Action":"output","Package":"p","Test":"TestOld","Output":"--- SKIP: TestOld (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestOld","Elapsed":0}
`

const passing = run + `{"Action":"output","Package":"p","Output":"ok p\n"}
{"Action":"pass","Package":"p","Elapsed":1.5}
{"Action":"skip","Package":"no/tests","Elapsed":0}
`

const failing = run + `{"Action":"output","Package":"p","Test":"TestBad","Output":"    a_test.go:5: seen\n"}
{"Action":"fail","Package":"p","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"p","Output":"exit status 1\n"}
{"Action":"fail","Package":"p","Elapsed":2}
`

func TestReport(t *testing.T) {
	skips := filepath.Join(t.TempDir(), "skips")
	text := "# comment\n\nold TestOld: needs Linux 9\nhost Test.*: something else\n"
	if err := os.WriteFile(skips, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}

	for _, tc := range []struct {
		name, input, machine string
		strict               bool
		want                 string
		failed               bool
	}{
		{"listed skip", passing, "old", true, "ok    p  1 tests, 1.5s\nskip  1 tests: TestOld: needs Linux 9\n", false},
		{"other skip", passing, "host", false, "SKIP  p TestOld: needs Linux 9.9\nok    p  1 tests, 1.5s\n", false},
		{"other skip, strict", passing, "host", true, "SKIP  p TestOld: needs Linux 9.9\nok    p  1 tests, 1.5s\n", true},
		{"failed test", failing, "old", true, "    a_test.go:5: seen\nexit status 1\nFAIL  p  2.0s\nskip  1 tests: TestOld: needs Linux 9\n", true},
		{"no event", "what is this\n" + passing, "old", true, "what is this\nok    p  1 tests, 1.5s\nskip  1 tests: TestOld: needs Linux 9\n", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			allowed, err := readSkips(skips, tc.machine)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			r := report{out: &out, allowed: allowed, strict: tc.strict}
			if err := r.read(strings.NewReader(tc.input)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if r.failed != tc.failed {
				t.Errorf("failed: got %t, want %t", r.failed, tc.failed)
			}
		})
	}
}

func TestReadSkipsBad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "skips")
	if err := os.WriteFile(path, []byte("\n* (\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := readSkips(path, "host")
	if err == nil || !strings.Contains(err.Error(), path+":2: ") {
		t.Errorf("got %v, want an error that names line 2", err)
	}
}
