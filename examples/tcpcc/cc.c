//go:build ignore

/*
 * A polite congestion control. It grows as Reno does, by one packet for each
 * acknowledged one in slow start and by one for each acknowledged window
 * after that. But it has a ceiling, and when the window gets there it halves
 * it, as if a packet had been lost. A path that never loses a packet, such as
 * loopback, then shows the sawtooth that is otherwise seen under loss.
 *
 * It paces: one window is spread over a nominal round trip, so that the
 * throughput follows the window even where the real round trip is next to
 * nothing.
 */
#include "tcp.h"

/* The window at which to back off, in packets. */
const volatile u32 ceiling = 160;

/* The time over which a window is sent, in microseconds. */
const volatile u32 round_trip = 10000;

/* How often the kernel called each callback. */
struct counts {
	u64 init, release, ssthresh, cong_avoid, undo_cwnd, set_state, cwnd_event, pkts_acked;
} calls;

/* How often the window reached the ceiling. */
u64 backoffs;

/* The smallest and the largest window that was set, in packets. */
u32 cwnd_min = ~0u, cwnd_max;

#define COUNT(counter) ((void)__sync_fetch_and_add(&(counter), 1))

static u32 half(u32 cwnd)
{
	return cwnd > 4 ? cwnd / 2 : 2;
}

/* Sets the window and the rate that goes with it. */
static void set_cwnd(struct tcp_sock *tp, u32 cwnd)
{
	u32 us = round_trip ? round_trip : 1;
	u64 rate = (u64)cwnd * tp->mss_cache * 1000000 / us;
	u32 limit = rate < ~0u ? rate : ~0u - 1;

	tp->snd_cwnd = cwnd;
	if (cwnd < cwnd_min)
		cwnd_min = cwnd;
	if (cwnd > cwnd_max)
		cwnd_max = cwnd;

	/* Pacing leaves the window unused for the most part. A fresh stamp keeps TCP from shrinking it for that. */
	tp->snd_cwnd_stamp = bpf_jiffies64();
	bpf_setsockopt(tp, SOL_SOCKET, SO_MAX_PACING_RATE, &limit, sizeof(limit));
}

/* Additive increase: a packet for each window that was acknowledged. */
static u32 grow(struct tcp_sock *tp, u32 cwnd, u32 acked)
{
	u32 count = tp->snd_cwnd_cnt + acked;

	if (count >= cwnd) {
		count = 0;
		cwnd++;
	}
	tp->snd_cwnd_cnt = count;
	return cwnd;
}

SEC("struct_ops") void init(u64 *ctx)
{
	struct tcp_sock *tp = (void *)ctx[0];

	COUNT(calls.init);
	set_cwnd(tp, tp->snd_cwnd);
}

SEC("struct_ops") void release(u64 *ctx)
{
	COUNT(calls.release);
}

SEC("struct_ops") u32 ssthresh(u64 *ctx)
{
	struct tcp_sock *tp = (void *)ctx[0];

	COUNT(calls.ssthresh);
	return half(tp->snd_cwnd);
}

SEC("struct_ops") void cong_avoid(u64 *ctx)
{
	struct tcp_sock *tp = (void *)ctx[0];
	u32 acked = ctx[2], cwnd = tp->snd_cwnd;
	u32 top = ceiling < tp->snd_cwnd_clamp ? ceiling : tp->snd_cwnd_clamp;

	COUNT(calls.cong_avoid);
	if (cwnd >= top) {
		COUNT(backoffs);
		cwnd = tp->snd_ssthresh = half(cwnd);
	} else if (cwnd < tp->snd_ssthresh) {
		cwnd += acked;
	} else {
		cwnd = grow(tp, cwnd, acked);
	}
	set_cwnd(tp, cwnd < top ? cwnd : top);
}

SEC("struct_ops") u32 undo_cwnd(u64 *ctx)
{
	struct tcp_sock *tp = (void *)ctx[0];
	u32 cwnd = tp->snd_cwnd, prior = tp->prior_cwnd;

	COUNT(calls.undo_cwnd);
	return cwnd > prior ? cwnd : prior;
}

SEC("struct_ops") void set_state(u64 *ctx)
{
	COUNT(calls.set_state);
}

SEC("struct_ops") void cwnd_event(u64 *ctx)
{
	COUNT(calls.cwnd_event);
}

SEC("struct_ops") void pkts_acked(u64 *ctx)
{
	COUNT(calls.pkts_acked);
}

SEC(".struct_ops.link") struct tcp_congestion_ops tcpcc = {
	.init = (void *)init,
	.release = (void *)release,
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.set_state = (void *)set_state,
	.cwnd_event = (void *)cwnd_event,
	.pkts_acked = (void *)pkts_acked,
	.name = "ebpfx_tcpcc",
};

char _license[] SEC("license") = "GPL";
