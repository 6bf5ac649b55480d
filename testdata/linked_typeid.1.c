/*
 * The types of this file come first in the linked object, so those of the other
 * one have other IDs there than in its instructions.
 */
#include "linked_core.h"

struct only_here { u64 a, b; } only_here;
int tgid;

SEC("syscall") int first(void *ctx)
{
	tgid = read(TASK(bpf_get_current_task())->tgid);
	return 0;
}

char _license[] SEC("license") = "GPL";
