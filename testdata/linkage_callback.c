/*
 * The address of a global function that is not the first of its section: each
 * run of prog adds 10 * 100 to hits. And a global function that takes a kernel
 * pointer.
 */
#include "bpf.h"

struct task_struct {
	int pid;
	struct task_struct *parent;
} __core;

static struct task_struct *(*const bpf_get_current_task_btf)(void) = (void *)158;

u64 hits;

__noinline int add_one(u32 i, void *ctx) { hits += 1; return 0; }
__noinline int add_hundred(u32 i, void *ctx) { hits += 100; return 0; }
__noinline int peek(struct task_struct *task) { return task->parent->pid; }

SEC("syscall") int prog(void *ctx)
{
	bpf_loop(10, add_hundred, 0, 0);
	return 0;
}

SEC("syscall") int pointer(void *ctx) { return peek(bpf_get_current_task_btf()); }

char _license[] SEC("license") = "GPL";
