package btfx

import (
	"slices"
	"strings"
)

// specialStructs are the structs that mean something to the kernel in the value
// of a map, by the name that Rust's conventions give them. See
// btf_get_field_type in kernel/bpf/btf.c.
var specialStructs = map[string]struct {
	name string
	size uint32 // in bytes
}{
	"BpfSpinLock":    {"bpf_spin_lock", 4},
	"BpfResSpinLock": {"bpf_res_spin_lock", 8},
	"BpfTimer":       {"bpf_timer", 16},
	"BpfWq":          {"bpf_wq", 16},
	"BpfTaskWork":    {"bpf_task_work", 8},
	"BpfListHead":    {"bpf_list_head", 16},
	"BpfListNode":    {"bpf_list_node", 24},
	"BpfRbRoot":      {"bpf_rb_root", 16},
	"BpfRbNode":      {"bpf_rb_node", 32},
	"BpfRefcount":    {"bpf_refcount", 4},
	"BpfDynptr":      {"bpf_dynptr", 16},
}

// nameSpecial gives a special struct the kernel's name, if it has the kernel's
// size. Without it the kernel says "map has no valid bpf_spin_lock".
func (t *rustTypes) nameSpecial(r record) {
	if r.kind() != recStruct {
		return
	}
	if s, ok := specialStructs[t.name(r)]; ok && s.size == r.sizeOrType() {
		r.put(0, t.nameOffset(s.name))
	}
}

// kptrTags are the type tags that make a pointer in the value of a map one to a
// kernel object.
var kptrTags = []string{"kptr", "kptr_untrusted", "percpu_kptr", "uptr"}

// tagKptrs gives a pointer the type tag that its member is named for: Rust has no
// attribute for one. The member is a raw pointer to a struct, its name ends in
// two underscores and the tag:
//
//	struct Value { task__kptr: *mut task_struct }    // C: struct task_struct __kptr *task;
func (t *rustTypes) tagKptrs(r record) {
	if r.kind() != recStruct {
		return
	}
	for i := range r.vlen() {
		tag, ok := kptrTag(t.string(r.u32(12 + 12*i)))
		ptr := t.skip(r.u32(16 + 12*i))
		if !ok || ptr.kind() != recPtr {
			continue
		}
		target, ok := t.kptrTarget(t.at(ptr.sizeOrType()))
		if !ok {
			continue
		}
		tagged := t.addRecord(t.nameOffset(tag), recTypeTag<<24, target)
		r.put(16+12*i, t.addRecord(0, recPtr<<24, tagged))
	}
}

// kptrTarget returns the type ID of a struct that a kptr may point to. LLVM
// leaves a forward declaration of one that is only pointed to, but the kernel
// wants a struct; it compares the names.
func (t *rustTypes) kptrTarget(r record) (id uint32, ok bool) {
	switch r.kind() {
	case recStruct:
		return uint32(r.id), true
	case recFwd:
		return t.addRecord(t.nameOffset(LegalName(t.name(r))), recStruct<<24, 0), true
	}
	return 0, false
}

// kptrTag returns the type tag that the name of a member ends in, if any.
func kptrTag(member string) (tag string, ok bool) {
	i := strings.LastIndex(member, "__")
	if i < 0 {
		return "", false
	}
	tag = member[i+2:]
	return tag, slices.Contains(kptrTags, tag)
}
