/*
 * Callbacks with subprograms: a static and a global function in .text, and the
 * address of a static function for bpf_loop, which is not the first of .text,
 * so that the address is a section symbol plus an addend.
 */
#include "tcp.h"

u64 sum;

static __noinline int twice(int n)
{
	asm volatile("" : "+r"(n));
	return n + n;
}

__noinline int thrice(int n)
{
	return twice(n) + n;
}

static long add(u32 index, u64 *total)
{
	*total += index;
	return 0;
}

RENO_CONG_AVOID
RENO_UNDO_CWND

SEC("struct_ops") u32 ssthresh(u64 *ctx)
{
	u64 total = 0;

	bpf_loop(4, add, &total, 0);
	sum = total + thrice(twice(1));
	return tcp_reno_ssthresh((void *)ctx[0]);
}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.name = "ebpfx_subprog",
};
