/*
 * Two link maps that can take each other's place, because they register one
 * name, and one that can't. Each counts how often it is asked for a window.
 */
#include "tcp.h"

u64 calls_old, calls_new;

RENO_SSTHRESH
RENO_UNDO_CWND

SEC("struct_ops") void cong_avoid_old(u64 *ctx)
{
	__sync_fetch_and_add(&calls_old, 1);
	tcp_reno_cong_avoid((void *)ctx[0], ctx[1], ctx[2]);
}

SEC("struct_ops") void cong_avoid_new(u64 *ctx)
{
	__sync_fetch_and_add(&calls_new, 1);
	tcp_reno_cong_avoid((void *)ctx[0], ctx[1], ctx[2]);
}

#define MEMBERS(which, registered) \
	.ssthresh = (void *)ssthresh, .undo_cwnd = (void *)undo_cwnd, \
	.cong_avoid = (void *)cong_avoid_##which, .name = registered

SEC(".struct_ops.link") struct tcp_congestion_ops old = { MEMBERS(old, "ebpfx_replace") };
SEC(".struct_ops.link") struct tcp_congestion_ops new = { MEMBERS(new, "ebpfx_replace") };
SEC(".struct_ops.link") struct tcp_congestion_ops other = { MEMBERS(new, "ebpfx_other") };
