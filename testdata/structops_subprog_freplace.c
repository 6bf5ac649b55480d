/* A program with a global function that structops_freplace replaces. */
#include "bpf.h"

__noinline int answer(int x)
{
	return x * 2;
}

SEC("tc") int entry(void *ctx)
{
	return answer(bpf_get_prandom_u32());
}

char _license[] SEC("license") = "GPL";
