/* See linked_core.1.c. */
#include "linked_core.h"

int pid, tgid, leader, subreaper, mm;
char comm[16];

__weak __noinline int pid_of(u64 task)
{
	return -(int)(read(TASK(task)->tgid) + read(TASK(task)->pid));
}

__noinline int tgid_of(u64 task) { return read(TASK(task)->tgid); }

__weak __noinline int leader_of(u64 task) { return -read(TASK(task)->tgid); }

__noinline int subreaper_of(u64 task)
{
	struct signal_struct *signal = read(TASK(task)->signal);

	return read_bits(signal, is_child_subreaper);
}

__noinline int has_mm(u64 task) { return read(TASK(task)->mm) != 0; }

SEC("syscall") int prog(void *ctx)
{
	u64 task = bpf_get_current_task();

	pid = pid_of(task);
	tgid = tgid_of(task);
	leader = leader_of(task);
	subreaper = subreaper_of(task);
	mm = has_mm(task);
	bpf_probe_read_kernel(comm, sizeof(comm), &TASK(task)->comm);
	return 0;
}
