//go:build linux

package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
)

func printHeader(w io.Writer) {
	fmt.Fprintf(w, "%-22s %-8s %5s %8s %8s %8s %8s %8s %8s %8s %8s\n",
		"object", "side", "progs", "whole", "/libbpf", "-libbpf", "cpu", "programs", "/1", "user", "memory")
}

// printRow prints an object: a line for each side.
func printRow(w io.Writer, object string, results []result) {
	name := strings.TrimSuffix(filepath.Base(object), ".bpf.o")
	var libbpf, one result
	for _, r := range results {
		if r.err != "" {
			fmt.Fprintf(w, "%-22s %-8s refuses it: %.80s\n", name, r.side.name, strings.ReplaceAll(r.err, "\n", " "))
			name = ""
			continue
		}
		switch r.side.name {
		case "libbpf":
			libbpf = r
		case "ours, 1":
			one = r
		}
		parallel := ""
		if r.side.name == "ours, 2" {
			parallel = ratio(r.phase, one.phase)
		}
		fmt.Fprintf(w, "%-22s %-8s %5d %8.2f %8s %+8.2f %8.2f %8.2f %8s %8.2f %8d\n", name, r.side.name, r.programs,
			ms(r.whole), ratio(r.whole, libbpf.whole), ms(r.whole-libbpf.whole), ms(r.cpu), ms(r.phase), parallel, ms(r.user), r.memory)
		name = ""
	}
}

func ratio(a, b time.Duration) string {
	if b <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(a)/float64(b))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
