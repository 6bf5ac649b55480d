//go:build linux

// Bench measures what it takes to open and load objects: with this library,
// with libbpf and with cilium/ebpf alone, on the running kernel.
//
//	go run ./integration/bench [-rounds 20] [-libbpf DIR] [OBJECT ...]
//
// DIR holds the binaries that libbpf/build.sh makes; it is run if there is no
// DIR. Without OBJECTs it takes a choice of ../shared/corpus/objects. Needs root and x86-64.
//
// Every load is a process of its own, the sides taking turns. Figures are
// medians, and what an empty program of the same language takes is taken off:
//
//	whole     from start to exit, ms; /libbpf and -libbpf compare it with libbpf's
//	cpu       processor time of all threads, ms: other work of the machine disturbs
//	          it less
//	programs  from the first BPF_PROG_LOAD of a program of the object to the end of
//	          the last one, ms; /1 compares it with that of one verifier
//	user      the part of whole in which no thread is inside bpf(2), ms
//	memory    peak resident memory, KiB
//
// The time inside bpf(2) is measured by a BPF program, in rounds of their own.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	rounds := flag.Int("rounds", 20, "measured rounds, after two to warm up")
	libbpf := flag.String("libbpf", "", "directory with the binaries of libbpf/build.sh")
	flag.Parse()
	if err := run(*rounds, *libbpf, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// choice are objects of the corpus that load on a kernel without modules.
var choice = []string{
	"linked_list", "cpumask_success", "iters", "task_kfunc_success", "refcounted_kptr", "iters_num",
	"bpf_cubic", "bpf_cc_cubic", "tcp_ca_update", "bpf_iter_tasks", "rbtree", "local_kptr_stash", "arena_htab",
	"arena_atomics", "test_core_extern", "test_static_linked1", "linked_list_fail",
}

// run measures every object and prints the tables.
func run(rounds int, libbpf string, objects []string) error {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("directory of the module: %w", err)
	}
	dir := strings.TrimSpace(string(root))
	if len(objects) == 0 {
		for _, name := range choice {
			objects = append(objects, filepath.Join(dir, "../shared/corpus/objects/selftests-bpf", name+".bpf.o"))
		}
	}
	tmp, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	sides, err := build(dir, tmp, libbpf)
	if err != nil {
		return err
	}
	tracer, err := startTracer(filepath.Join(dir, "testdata/bench_trace-el.elf"))
	if err != nil {
		return err
	}
	defer tracer.Close()

	printHeader(os.Stdout)
	for _, object := range objects {
		results, err := measure(sides, object, rounds, tracer)
		if err != nil {
			return err
		}
		printRow(os.Stdout, object, results)
	}
	return nil
}

// side is one of the programs that are compared.
type side struct {
	name    string
	command []string // the object is appended
	empty   string   // name of the empty program of its language; "" for these
}

// build builds the programs.
func build(dir, tmp, libbpf string) ([]side, error) {
	bench := filepath.Join(dir, "integration/bench")
	if libbpf == "" {
		libbpf = tmp
		if err := command(filepath.Join(bench, "libbpf/build.sh"), libbpf); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"empty", "ours", "plain"} {
		if err := command("go", "build", "-o", filepath.Join(tmp, "go-"+name), filepath.Join(bench, name)); err != nil {
			return nil, err
		}
	}
	ours := filepath.Join(tmp, "go-ours")
	return []side{
		{name: "empty C", command: []string{filepath.Join(libbpf, "empty")}},
		{name: "empty Go", command: []string{filepath.Join(tmp, "go-empty")}},
		{name: "libbpf", command: []string{filepath.Join(libbpf, "libbpf")}, empty: "empty C"},
		{name: "ours, 1", command: []string{ours, "-verifiers", "1"}, empty: "empty Go"},
		{name: "ours, 2", command: []string{ours, "-verifiers", "2"}, empty: "empty Go"},
		{name: "plain", command: []string{filepath.Join(tmp, "go-plain")}, empty: "empty Go"},
	}, nil
}

func command(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}
