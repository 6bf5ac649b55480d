/*
 * Two files that define shared: the copy in the second one is dropped, but its
 * body stays between the functions.
 */
#include "bpf.h"

struct task_struct {
	int pid, tgid;
} __core;

__weak __noinline int shared(struct task_struct *task) { return task ? task->pid : 0; }

SEC("tc") int first(void *ctx) { return shared(0); }

char _license[] SEC("license") = "GPL";
