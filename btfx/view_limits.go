package btfx

import (
	"debug/elf"
	"fmt"
	"math"

	"github.com/cilium/ebpf/btf"
)

// Limits for what upstream allocates beyond what the file has: it makes the
// contents of NOBITS sections, and copies the value and the type of each
// variable.
const (
	// Bytes of zeroes, in one section and in all. See shrinkSection.
	maxZeroes    = 1 << 20
	maxAllZeroes = 16 << 20

	// How many variables may share the bytes of a section on average.
	maxOverlap = 16

	// Bytes of BTF records behind all variables.
	maxCopies = 256 << 20
)

// checkData checks the sizes of sections and of variables.
func (v *view) checkData() error {
	for _, sec := range v.Sections {
		if sec.Size > math.MaxUint32 && sec.kind() != otherSection {
			return fmt.Errorf("section %q: %d bytes, want no more than %d", sec.Name, sec.Size, uint32(math.MaxUint32))
		}
	}

	sizes := make([]uint64, len(v.Sections))
	for _, sym := range v.symbols {
		if !sym.isDefined() || sym.Binding == elf.STB_LOCAL || v.Sections[sym.Section].kind() != dataSection {
			continue
		}
		sec := v.Sections[sym.Section]
		if sym.Value > sec.Size || sym.Size > sec.Size-sym.Value {
			return fmt.Errorf("section %q: variable %q at offset %d has %d bytes, the section %d", sec.Name, sym.Name, sym.Value, sym.Size, sec.Size)
		}
		if sizes[sym.Section] += sym.Size; sizes[sym.Section] > maxOverlap*sec.Size {
			return fmt.Errorf("section %q: its variables have more than %d times its %d bytes", sec.Name, maxOverlap, sec.Size)
		}
	}
	return nil
}

// checkCopies checks what the types of all variables amount to.
func (v *view) checkCopies(records []record, objects map[string]Symbol) error {
	if uint64(len(objects))*uint64(len(v.types.types)) <= maxCopies {
		return nil
	}

	var total int
	seen := make([]btf.TypeID, len(records)) // the variable for which a type was seen last
	for _, r := range records[1:] {
		if r.kind() != recVar {
			continue
		}
		if _, ok := objects[v.types.name(r)]; !ok {
			continue
		}
		for todo := []btf.TypeID{r.id}; len(todo) > 0; {
			id := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if uint64(id) >= uint64(len(records)) || id == 0 || seen[id] == r.id {
				continue
			}
			seen[id] = r.id
			if total += len(records[id].raw); total > maxCopies {
				return fmt.Errorf("section %q: types of the variables have more than %d bytes", ".BTF", maxCopies)
			}
			for ref := range records[id].references {
				todo = append(todo, ref)
			}
		}
	}
	return nil
}
