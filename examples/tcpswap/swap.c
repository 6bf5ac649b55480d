//go:build ignore

/*
 * Two congestion controls that register one name, so that a link can change
 * from one to the other while connections use it. Both grow by a packet for
 * each acknowledged window and halve the window at a ceiling; they differ in
 * the ceiling only. A window is spread over a nominal round trip, so that the
 * throughput follows it even on loopback.
 */
#include "../tcpcc/tcp.h"

/* The windows at which to back off, in packets. */
const volatile u32 calm_ceiling = 40;
const volatile u32 eager_ceiling = 160;

/* The time over which a window is sent, in microseconds. */
const volatile u32 round_trip = 10000;

/* How often the kernel has asked each for a window. */
u64 calm_calls, eager_calls;

static u32 half(u32 cwnd)
{
	return cwnd > 4 ? cwnd / 2 : 2;
}

/* Sets the window and the rate that goes with it. */
static void set_cwnd(struct tcp_sock *tp, u32 cwnd)
{
	u64 rate = (u64)cwnd * tp->mss_cache * 1000000 / (round_trip ? round_trip : 1);
	u32 limit = rate < ~0u ? rate : ~0u - 1;

	tp->snd_cwnd = cwnd;
	/* Pacing leaves the window unused for the most part. A fresh stamp keeps TCP from shrinking it for that. */
	tp->snd_cwnd_stamp = bpf_jiffies64();
	bpf_setsockopt(tp, SOL_SOCKET, SO_MAX_PACING_RATE, &limit, sizeof(limit));
}

static void grow(struct tcp_sock *tp, u32 acked, u32 ceiling)
{
	u32 cwnd = tp->snd_cwnd, count = tp->snd_cwnd_cnt + acked;

	if (cwnd >= ceiling) {
		cwnd = half(ceiling);
		count = 0;
	} else if (count >= cwnd) {
		cwnd++;
		count = 0;
	}
	tp->snd_cwnd_cnt = count;
	set_cwnd(tp, cwnd);
}

SEC("struct_ops") void calm_cong_avoid(u64 *ctx)
{
	__sync_fetch_and_add(&calm_calls, 1);
	grow((struct tcp_sock *)ctx[0], ctx[2], calm_ceiling);
}

SEC("struct_ops") void eager_cong_avoid(u64 *ctx)
{
	__sync_fetch_and_add(&eager_calls, 1);
	grow((struct tcp_sock *)ctx[0], ctx[2], eager_ceiling);
}

SEC("struct_ops") void start(u64 *ctx)
{
	struct tcp_sock *tp = (void *)ctx[0];

	set_cwnd(tp, tp->snd_cwnd);
}

SEC("struct_ops") u32 ssthresh(u64 *ctx)
{
	return half(((struct tcp_sock *)ctx[0])->snd_cwnd);
}

SEC("struct_ops") u32 undo_cwnd(u64 *ctx)
{
	return ((struct tcp_sock *)ctx[0])->snd_cwnd;
}

SEC(".struct_ops.link") struct tcp_congestion_ops calm = {
	.init = (void *)start,
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)calm_cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.name = "ebpfx_tcpswap",
};

SEC(".struct_ops.link") struct tcp_congestion_ops eager = {
	.init = (void *)start,
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)eager_cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.name = "ebpfx_tcpswap",
};

char _license[] SEC("license") = "GPL";
