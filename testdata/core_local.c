/*
 * CO-RE relocations of each kind against core_kernel.c and core_module.c, one
 * section for each way to a candidate.
 */
#include "bpf.h"

#define CORE __attribute__((preserve_access_index))
#define FIELD(kind, expr) __builtin_preserve_field_info(expr, kind)
#define TYPE(kind, T) __builtin_preserve_type_info(*(T *)0, kind)
enum { BYTE_OFF, BYTE_SZ, EXISTS, SIGNED, LSHIFT, RSHIFT };
enum { TYPE_EXISTS, TYPE_SIZE, TYPE_MATCHES };

struct cred { u32 gid; } CORE;
struct mm { u64 end; } CORE;
struct files;
struct task {
	int pid;
	u32 policy;
	struct cred cred;
	struct mm *mm;
	char comm[16];
	u32 class:3;
	u32 absent;
} CORE;
struct task___matching { struct mm *mm; struct files *files; };
struct task___parent { struct task *parent; };  /* whose member absent the kernel lacks */
struct task___anonymous { struct { u64 end; } *mm; };
struct task___mismatch { struct { u64 nothing; } *mm; };
enum state { STATE_RUNNING = 1, STATE_ABSENT = 2 };
enum large { LARGE = 0x100000001ull };
struct flavored { u32 a; } CORE;
struct device { u32 id; } CORE;
struct unknown { u32 a; } CORE;
typedef struct { int counter; } atomic;

u64 result;
SEC("raw_tp/fields") int fields(void *ctx)
{
	struct task *t = ctx;
	result += FIELD(BYTE_OFF, t->pid);
	result += FIELD(BYTE_OFF, t->policy);
	result += FIELD(BYTE_OFF, t->cred.gid);
	result += FIELD(BYTE_OFF, t->mm->end);
	result += FIELD(BYTE_OFF, t->comm[3]);
	result += FIELD(BYTE_SZ, t->comm);
	result += FIELD(EXISTS, t->absent);
	result += FIELD(SIGNED, t->pid);
	result += FIELD(LSHIFT, t->class);
	result += FIELD(RSHIFT, t->class);
	return 0;
}
SEC("raw_tp/types") int types(void *ctx)
{
	result += TYPE(TYPE_EXISTS, struct task);
	result += TYPE(TYPE_SIZE, struct task);
	result += TYPE(TYPE_SIZE, struct cred);
	result += TYPE(TYPE_SIZE, atomic);
	result += TYPE(TYPE_EXISTS, struct unknown);
	result += TYPE(TYPE_MATCHES, struct task___matching);
	result += TYPE(TYPE_MATCHES, struct task___parent);
	result += __builtin_btf_type_id(*(struct task *)0, 0);
	result += __builtin_btf_type_id(*(struct task *)0, 1);
	result += __builtin_btf_type_id(*(struct mm *)0, 1);
	result += __builtin_btf_type_id(*(struct unknown *)0, 1);
	result += TYPE(TYPE_SIZE, struct unknown);
	return 0;
}
SEC("raw_tp/enums") int enums(void *ctx)
{
	result += __builtin_preserve_enum_value(*(enum state *)STATE_RUNNING, 0);
	result += __builtin_preserve_enum_value(*(enum state *)STATE_RUNNING, 1);
	result += __builtin_preserve_enum_value(*(enum state *)STATE_ABSENT, 0);
	result += __builtin_preserve_enum_value(*(enum large *)LARGE, 1);
	return 0;
}
SEC("raw_tp/module") int module(void *ctx)
{
	struct device *d = ctx;
	result += FIELD(BYTE_OFF, d->id);
	result += __builtin_btf_type_id(*(struct device *)0, 1);
	return 0;
}
SEC("raw_tp/anonymous") int anonymous(void *ctx)
{
	result += TYPE(TYPE_MATCHES, struct task___anonymous);
	result += TYPE(TYPE_MATCHES, struct task___mismatch);
	return 0;
}
SEC("raw_tp/ambiguous") int ambiguous(void *ctx)
{
	struct flavored *f = ctx;
	return FIELD(BYTE_OFF, f->a);
}
