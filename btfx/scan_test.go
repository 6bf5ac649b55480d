package btfx

import (
	"testing"

	"github.com/cilium/ebpf/btf"
)

// FuzzKernel looks up, extracts and relocates against corrupt kernel BTF: a
// result or an error, and a result that upstream can read.
func FuzzKernel(f *testing.F) {
	f.Add(rawTypes(), rawTypes(), uint32(1))
	f.Add(rawTypes(1, recConst<<24, 1), rawTypes(3, recPtr<<24, 1), uint32(2))
	for suffix := range byteOrders {
		_, vmlinux, module := imaginary(f, suffix)
		f.Add(vmlinux, module, uint32(2))
	}
	b, err := btf.NewBuilder([]btf.Type{
		&btf.Struct{Name: "task", Size: 4, Members: []btf.Member{{Name: "pid", Type: &btf.Int{Name: "int", Size: 4}}}},
		&btf.Func{Name: "wake_up", Type: &btf.FuncProto{Return: (*btf.Void)(nil)}},
		&btf.Datasec{Name: ".data", Size: 8},
	}, nil)
	if err != nil {
		f.Fatal(err)
	}
	raw, err := b.Marshal(nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw, raw, uint32(3))

	fields, types := localRelocations(f, "el", "fields")
	f.Fuzz(func(t *testing.T, vmlinux, module []byte, id uint32) {
		k, err := NewKernel(vmlinux, Module{"m", module})
		if err != nil {
			if k, err = NewKernel(vmlinux); err != nil {
				return
			}
		}
		k.Want("wake_up", "task", "s")
		for _, name := range []string{"wake_up", "task", "s", "ops", "___tail"} {
			for kind := range Kind(recEnum64 + 1) {
				if ref, err := k.Find(kind, name); err == nil {
					_, _ = k.Type(ref)
				}
			}
		}
		_, _ = k.Types(Ref{ID: btf.TypeID(id)}, Ref{ID: 1}, Ref{"m", btf.TypeID(id)})
		if c, err := k.Candidates("task", "s", "ops"); err == nil {
			for typ := range c.Spec.All() {
				_ = typ
			}
		}
		_, _ = Relocate(fields, types, k, k.vmlinux.order, localID)
	})
}
