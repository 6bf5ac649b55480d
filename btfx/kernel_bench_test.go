package btfx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
)

const scxVmlinux = "../../shared/kernels/6.12-scx/vmlinux.btf"

// wantedTypes names 70 functions and 40 structs, as many as a scheduler wants.
func wantedTypes(tb testing.TB, spec *btf.Spec) (funcs, structs []string) {
	tb.Helper()
	for typ, err := range spec.All() {
		if err != nil {
			tb.Fatal(err)
		}
		if fn, ok := typ.(*btf.Func); ok && strings.Contains(fn.Name, "bpf_") && len(funcs) < 70 {
			if types, err := spec.AnyTypesByName(fn.Name); err == nil && len(types) == 1 {
				funcs = append(funcs, fn.Name)
			}
		}
	}
	for _, name := range []string{"task_struct", "rq", "tcp_congestion_ops", "bpf_struct_ops_tcp_congestion_ops", "cgroup",
		"sock", "tcp_sock", "file", "inode", "dentry", "mm_struct", "vm_area_struct", "cpumask", "cfs_rq", "sched_entity",
		"cred", "pid", "nsproxy", "css_set", "cgroup_subsys_state", "bpf_map", "bpf_prog", "sk_buff", "net_device", "socket",
		"super_block", "path", "page", "task_group", "callback_head", "list_head", "hlist_node", "rb_node", "kref",
		"sched_ext_ops", "bpf_struct_ops_sched_ext_ops", "sched_ext_entity", "scx_dispatch_q", "sched_rt_entity",
		"sched_dl_entity", "signal_struct", "fs_struct", "files_struct", "kobject", "device", "module", "nlattr"} {
		if err := spec.TypeByName(name, new(*btf.Struct)); err == nil && len(structs) < 40 {
			structs = append(structs, name)
		}
	}
	if len(funcs) < 70 || len(structs) < 40 {
		tb.Fatalf("only %d functions, %d structs", len(funcs), len(structs))
	}
	return funcs, structs
}

// fresh returns a kernel that has read nothing yet.
func fresh(tb testing.TB, raw []byte) *Kernel {
	b, err := newKernelBTF("", raw, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return &Kernel{listed: true, vmlinux: b}
}

func findAll(tb testing.TB, k *Kernel, kind Kind, names []string) []Ref {
	refs := make([]Ref, len(names))
	for i, name := range names {
		var err error
		if refs[i], err = k.Find(kind, name); err != nil {
			tb.Fatal(err)
		}
	}
	return refs
}

func upstreamFindAll(tb testing.TB, spec *btf.Spec, funcs, structs []string) {
	for _, name := range funcs {
		if err := spec.TypeByName(name, new(*btf.Func)); err != nil {
			tb.Fatal(err)
		}
	}
	for _, name := range structs {
		if err := spec.TypeByName(name, new(*btf.Struct)); err != nil {
			tb.Fatal(err)
		}
	}
}

// The running kernel, from nothing to the prototypes of all functions.
func BenchmarkLoadKernel(b *testing.B) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		b.Skip("no BTF of the running kernel: ", err)
	}
	funcs, structs := wantedTypes(b, spec)
	for _, types := range []bool{false, true} {
		b.Run(map[bool]string{false: "find", true: "find and types"}[types], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				k, err := LoadKernel()
				if err != nil {
					b.Fatal(err)
				}
				k.Want(funcs...)
				k.Want(structs...)
				refs := findAll(b, k, KindFunc, funcs)
				findAll(b, k, KindStruct, structs)
				if !types {
					continue
				}
				for _, ref := range refs {
					if _, err := k.Type(ref); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
	b.Run("upstream", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			spec, err := btf.LoadKernelSpec()
			if err != nil {
				b.Fatal(err)
			}
			upstreamFindAll(b, spec, funcs, structs)
		}
	})
}

func BenchmarkKernelFind(b *testing.B) {
	raw, spec := scxKernel(b)
	funcs, structs := wantedTypes(b, spec)
	b.Run("btfx", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k := fresh(b, raw)
			k.Want(funcs...)
			k.Want(structs...)
			findAll(b, k, KindFunc, funcs)
			findAll(b, k, KindStruct, structs)
		}
	})
	b.Run("upstream", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			spec, err := btf.LoadSplitSpecFromReader(bytes.NewReader(raw), nil)
			if err != nil {
				b.Fatal(err)
			}
			upstreamFindAll(b, spec, funcs, structs)
		}
	})
}

func BenchmarkCandidates(b *testing.B) {
	raw, spec := scxKernel(b)
	_, structs := wantedTypes(b, spec)
	k := fresh(b, raw)
	k.Want(structs...)
	for _, n := range []int{5, 40} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			types := 0
			for b.Loop() {
				c, err := k.Candidates(structs[:n]...)
				if err != nil {
					b.Fatal(err)
				}
				types = len(c.nodes)
			}
			b.ReportMetric(float64(types), "types")
		})
	}
}

// The CO-RE relocations of whole objects, from raw kernel BTF to fixups.
func BenchmarkRelocate(b *testing.B) {
	raw, _ := scxKernel(b)
	for _, o := range coreObjects(b) {
		if o.name != "scx_flatcg.bpf.o" && o.name != "bpf_cubic.bpf.o" {
			continue
		}
		b.Run(o.name+"/btfx", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Relocate(o.relos, o.types, fresh(b, raw), binary.LittleEndian, localID); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(o.name+"/upstream", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				spec, err := btf.LoadSplitSpecFromReader(bytes.NewReader(raw), nil)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := btf.CORERelocate(o.relos, []*btf.Spec{spec}, binary.LittleEndian, localID); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func scxKernel(tb testing.TB) ([]byte, *btf.Spec) {
	tb.Helper()
	raw, err := os.ReadFile(scxVmlinux)
	if errors.Is(err, os.ErrNotExist) {
		tb.Skip("no kernel BTF beside the repository: ", err)
	} else if err != nil {
		tb.Fatal(err)
	}
	spec, err := btf.LoadSplitSpecFromReader(bytes.NewReader(raw), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return raw, spec
}
