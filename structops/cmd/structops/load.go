package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/cilium/ebpf"

	"github.com/ebpfx/ebpfx/btfx"
	"github.com/ebpfx/ebpfx/structops"
)

// result is what happened to one object.
type result struct {
	Object string `json:"object"`
	// Phase is the one that failed, or the last one that was asked for.
	Phase    string      `json:"phase"`
	OK       bool        `json:"ok"`
	Error    string      `json:"error,omitempty"`
	Errno    int         `json:"errno,omitempty"`
	Maps     []mapResult `json:"maps"`
	Programs int         `json:"programs"`
	Poisoned []string    `json:"poisoned"`
	// Dropped are callbacks that the kernel's ops type lacks, "map.member".
	Dropped  []string `json:"dropped,omitempty"`
	OpenMS   float64  `json:"open_ms"`
	LoadMS   float64  `json:"load_ms"`
	AttachMS float64  `json:"attach_ms"`
}

// mapResult is one struct_ops map of an object.
type mapResult struct {
	Name     string            `json:"name"`
	Type     string            `json:"type"`
	Attached bool              `json:"attached"`
	Slots    map[string]string `json:"slots"` // program by member
}

// loadFlags are the flags of the command.
type loadFlags struct {
	attach, json bool
	hold         time.Duration
	programs     string
	missing      string
}

// runLoad loads every object, one after the other.
func runLoad(args []string, stdout, stderr io.Writer) int {
	var f loadFlags
	fs := flag.NewFlagSet("structops load", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.BoolVar(&f.attach, "attach", false, "attach the struct_ops maps")
	fs.DurationVar(&f.hold, "hold", 0, "leave each map attached for this long")
	fs.BoolVar(&f.json, "json", false, "one line of JSON for each object")
	fs.StringVar(&f.programs, "programs", "auto", "which programs to load: auto leaves optional ones out, all does not")
	fs.StringVar(&f.missing, "missing", "strict", "callbacks that the kernel's ops type lacks: strict refuses them, drop leaves them out")
	if err := fs.Parse(args); err != nil {
		return 2
	}
	known := (f.programs == "auto" || f.programs == "all") && (f.missing == "strict" || f.missing == "drop")
	if fs.NArg() == 0 || !known {
		fmt.Fprintln(stderr, usage)
		return 2
	}
	k, err := btfx.LoadKernel()
	if err != nil {
		fmt.Fprintf(stderr, "structops: %v\n", err)
		return 1
	}
	status := 0
	for _, path := range fs.Args() {
		r := &result{Object: path, Maps: []mapResult{}, Poisoned: []string{}}
		if err := r.load(path, k, f); err != nil {
			r.fail(err)
			status = 1
		}
		if err := r.print(stdout, f.json); err != nil {
			fmt.Fprintf(stderr, "structops: %v\n", err)
			return 1
		}
	}
	return status
}

// load takes one object through all phases that were asked for.
func (r *result) load(path string, k *btfx.Kernel, f loadFlags) error {
	r.Phase = "open"
	start := time.Now()
	obj, err := open(path)
	r.OpenMS = since(start)
	if err != nil {
		return err
	}
	if f.programs == "all" {
		requireAll(obj)
	}
	opts := &structops.Options{Kernel: k}
	if f.missing == "drop" {
		opts.Missing = structops.DropCallbacks
	}
	unpin, err := pinSomewhere(obj, opts)
	if err != nil {
		return err
	}
	defer unpin()
	r.Phase = "resolve"
	start = time.Now()
	if _, err := obj.ResolveWith(k, opts); err != nil {
		r.LoadMS = since(start)
		return err
	}
	r.Phase = "load"
	coll, err := obj.Load(opts)
	r.LoadMS = since(start)
	if err != nil {
		return err
	}
	defer coll.Close()
	r.describe(coll)
	if f.attach {
		return r.attach(coll, f.hold)
	}
	return nil
}

func open(path string) (*structops.Object, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return structops.Open(f)
}

// pinSomewhere gives maps that are pinned by name a directory of their own, which
// is gone afterwards: libbpf would leave them in /sys/fs/bpf.
func pinSomewhere(obj *structops.Object, opts *structops.Options) (unpin func(), err error) {
	for _, name := range slices.Sorted(maps.Keys(obj.Spec.Maps)) {
		if obj.Spec.Maps[name].Pinning != ebpf.PinByName {
			continue
		}
		dir, err := os.MkdirTemp("/sys/fs/bpf", "structops-")
		if err != nil {
			return nil, fmt.Errorf("map %q is pinned by name: %w", name, err)
		}
		opts.Maps.PinPath = dir
		return func() { _ = os.RemoveAll(dir) }, nil
	}
	return func() {}, nil
}

// requireAll makes optional maps and programs mandatory.
func requireAll(obj *structops.Object) {
	for _, ops := range obj.Ops {
		ops.Section = strings.TrimPrefix(ops.Section, "?")
	}
	for _, prog := range obj.Spec.Programs {
		prog.SectionName = strings.TrimPrefix(prog.SectionName, "?")
	}
}

// describe records what was loaded.
func (r *result) describe(coll *structops.Collection) {
	r.Programs = len(coll.Programs)
	for _, m := range coll.Plan.Maps {
		slots := make(map[string]string, len(m.Slots))
		for _, s := range m.Slots {
			slots[s.Member] = s.Program
		}
		r.Maps = append(r.Maps, mapResult{Name: m.Name, Type: m.OpsType, Slots: slots})
	}
	for _, d := range coll.Dropped {
		r.Dropped = append(r.Dropped, d.Map+"."+d.Member)
	}
	for _, e := range coll.Externs.Externs {
		if e.Absent {
			r.Poisoned = append(r.Poisoned, e.Name)
		}
	}
}

// attach attaches the maps one after the other, each for a while: those of one
// object may be alternatives that exclude each other.
func (r *result) attach(coll *structops.Collection, hold time.Duration) error {
	r.Phase = "attach"
	for i := range r.Maps {
		start := time.Now()
		lnk, err := coll.Attach(r.Maps[i].Name)
		r.AttachMS += since(start)
		if err != nil {
			return err
		}
		r.Maps[i].Attached = true
		time.Sleep(hold)
		if err := lnk.Close(); err != nil {
			return fmt.Errorf("map %q: detach: %w", r.Maps[i].Name, err)
		}
	}
	return nil
}

func (r *result) fail(err error) {
	r.Error = err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		r.Errno = int(errno)
	}
}

func (r *result) print(w io.Writer, asJSON bool) error {
	r.OK = r.Error == ""
	if asJSON {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", line)
		return err
	}
	mark := "ok  "
	if !r.OK {
		mark = "FAIL"
	}
	_, err := fmt.Fprintf(w, "%s %-7s %3d programs %7.2f ms open %8.2f ms load %7.2f ms attach  %s\n",
		mark, r.Phase, r.Programs, r.OpenMS, r.LoadMS, r.AttachMS, r.Object)
	for _, m := range r.Maps {
		state := "loaded"
		if m.Attached {
			state = "attached"
		}
		fmt.Fprintf(w, "     %s (%s) %s: %s\n", m.Name, m.Type, state, strings.Join(slices.Sorted(maps.Keys(m.Slots)), ", "))
	}
	if len(r.Poisoned) > 0 {
		fmt.Fprintf(w, "     absent on this kernel: %s\n", strings.Join(r.Poisoned, ", "))
	}
	if len(r.Dropped) > 0 {
		fmt.Fprintf(w, "     left out: %s\n", strings.Join(r.Dropped, ", "))
	}
	if !r.OK {
		fmt.Fprintf(w, "     %s\n", strings.ReplaceAll(r.Error, "\n", "\n     "))
	}
	return err
}

func since(start time.Time) float64 { return float64(time.Since(start).Microseconds()) / 1000 }
