package kfunc

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
)

// Options.Kconfig comes first, then the kernel's configuration; of several
// lines the first counts.
func TestConfigSources(t *testing.T) {
	var zipped bytes.Buffer
	zw := gzip.NewWriter(&zipped)
	zw.Write([]byte("CONFIG_A=3\nCONFIG_B=4\n"))
	zw.Close()

	tests := map[string]struct {
		kconfig, kernel, err string
		want                 []byte
	}{
		"kernel only":      {"", "# CONFIG_C is not set\nCONFIG_A=1\nCONFIG_A=5\nCONFIG_B=2\n", "", []byte{1, 2}},
		"gzip":             {"", zipped.String(), "", []byte{3, 4}},
		"extended":         {"CONFIG_B=7\n", "CONFIG_A=1\nCONFIG_B=2", "", []byte{1, 7}},
		"kernel not read":  {"CONFIG_A=8\nCONFIG_B=9\n", "CONFIG_A", "", []byte{8, 9}},
		"strong missing":   {"CONFIG_B=7\n", "", `extern "CONFIG_A" (strong): not resolved: not set in the kernel's configuration`, nil},
		"no value":         {"", "CONFIG_A=\n", `kernel configuration: line 1: "CONFIG_A=" has no value`, nil},
		"no separator":     {"CONFIG_B=7\nCONFIG_A", "", `kconfig: line 2: "CONFIG_A" has no value`, nil},
		"broken gzip":      {"", zipped.String()[:20], "kernel configuration: unexpected EOF", nil},
		"line without end": {"", "CONFIG_A=" + strings.Repeat("1", 1<<20), "kernel configuration: bufio.Scanner: token too long", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			opts := &Options{KernelConfig: strings.NewReader(test.kernel)}
			if test.kconfig != "" {
				opts.Kconfig = strings.NewReader(test.kconfig)
			}
			got, err := Resolve([]Extern{
				config("CONFIG_A", false, charType),
				config("CONFIG_B", true, charType),
			}, imaginary(t, nil, nil), opts)
			if text := errorText(err); text != test.err {
				t.Fatalf("got error  %q\nwant %q", text, test.err)
			}
			if err == nil && !bytes.Equal(got.Kconfig, test.want) {
				t.Errorf("got %v, want %v", got.Kconfig, test.want)
			}
		})
	}
}

func FuzzKconfig(f *testing.F) {
	for _, text := range []string{"y", "m", `"abc`, `"abc"`, "-1", "0x7f", "99999999999999999999", ""} {
		f.Add([]byte("CONFIG_X=" + text + "\nCONFIG_Y=" + text))
	}
	f.Add([]byte("\x1f\x8b"))
	types := []btf.Type{boolType, charType, shortType, u16Type, u32Type, longType, tristateType, stringType}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, typ := range types {
			// The neighbours show that nothing is written beside the value.
			var values []*configValue
			for _, name := range []string{"CONFIG_W", "CONFIG_X", "CONFIG_Z"} {
				v, err := newConfigValue(&Resolved{Name: name}, variable(name, typ))
				if err != nil {
					t.Fatal(err)
				}
				v.err = new(error)
				values = append(values, v)
			}
			data, err := layout(values)
			if err != nil {
				t.Fatal(err)
			}
			x := values[1]
			err = readConfig(bytes.NewReader(text), map[string]*configValue{x.Name: x})
			if x.set && *x.err != nil {
				t.Errorf("value and error %v", *x.err)
			}
			if err == nil && !x.set && !bytes.Equal(data, make([]byte, len(data))) {
				t.Errorf("not set, but %v", data)
			}
			if typ == stringType && x.set && x.data[x.size-1] != 0 {
				t.Errorf("string without end: %v", x.data)
			}
			if clear(x.data); !bytes.Equal(data, make([]byte, len(data))) {
				t.Errorf("written beside the value: %v", data)
			}
		}
	})
}
