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
	fmt.Fprintf(w, "%-22s %-8s %5s %8s %8s %8s %8s %8s %8s\n", "object", "side", "progs", "whole", "/libbpf", "cpu", "programs", "user", "memory")
}

// printRow prints an object: a line for each side.
func printRow(w io.Writer, object string, results []result) {
	name := strings.TrimSuffix(filepath.Base(object), ".bpf.o")
	var libbpf time.Duration
	for _, r := range results {
		if r.err != "" {
			fmt.Fprintf(w, "%-22s %-8s refuses it: %.60s\n", name, r.side.name, strings.ReplaceAll(r.err, "\n", " "))
			name = ""
			continue
		}
		if r.side.name == "libbpf" {
			libbpf = r.whole
		}
		ratio := "-"
		if libbpf > 0 {
			ratio = fmt.Sprintf("%.2f", float64(r.whole)/float64(libbpf))
		}
		fmt.Fprintf(w, "%-22s %-8s %5d %8.2f %8s %8.2f %8.2f %8.2f %8d\n", name, r.side.name, r.programs, ms(r.whole), ratio, ms(r.cpu), ms(r.phase), ms(r.user()), r.memory)
		name = ""
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
