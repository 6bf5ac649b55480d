/*
 * CO-RE in linked files, of which each has functions that the other one
 * replaces: their bodies stay between the other functions, without a symbol, but
 * with relocations. The program in the other file reads fields of the
 * task that runs it.
 */
#include "linked_core.h"

__weak __noinline int tgid_of(u64 task) { return -read(TASK(task)->pid); }

__noinline int pid_of(u64 task) { return read(TASK(task)->pid); }

__weak __noinline int subreaper_of(u64 task)
{
	return -(int)read(TASK(read(TASK(task)->group_leader))->tgid);
}

__noinline int leader_of(u64 task)
{
	u64 leader = (u64)read(TASK(task)->group_leader);

	return read(TASK(leader)->pid);
}

char _license[] SEC("license") = "GPL";
