/* Global functions that may become static, and those that have to stay global. */
#include "bpf.h"

#define __tag(tag) __attribute__((btf_decl_tag(tag)))

struct task_struct { int pid; } __core;

extern void bpf_throw(u64 cookie) __ksym;

/* Nothing but a pointer to it would be refused of a global function. */
__noinline int peek(struct task_struct *task) { return task ? task->pid : 0; }
__noinline int nonnull(int *value __tag("arg:nonnull")) { return *value; }
__noinline int counted(int x) { return x + bpf_get_prandom_u32(); }
static __noinline int already(int x) { return x + bpf_get_prandom_u32(); }

/* The callback is named by a tag; the call is there for readers that follow calls alone. */
__noinline int on_throw(u64 cookie) { return cookie + 1; }

SEC("tc") __tag("exception_callback:on_throw") __noinline int throws(void *ctx)
{
	int x = bpf_get_prandom_u32();

	if (x == 3)
		bpf_throw(3);
	return counted(x) + already(x) + nonnull(&x) + on_throw(x);
}

/* A program that another one calls. */
SEC("tc") int calls(void *ctx) { return peek(0) + throws(ctx); }

char _license[] SEC("license") = "GPL";
