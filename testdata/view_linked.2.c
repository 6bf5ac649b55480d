/* See view_linked.1.c. */
#include "bpf.h"

struct task_struct {
	int pid, tgid;
} __core;

__weak __noinline int shared(struct task_struct *task) { return task ? task->pid : 0; }

__noinline int behind(struct task_struct *task) { return task ? task->tgid : 1; }

SEC("tc") int second(void *ctx) { return behind(0) + shared(0); }
