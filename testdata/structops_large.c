/* Every callback that the kernel takes from BPF for this type, each with some work in it. */
#include "bpf.h"

struct sock {
	int unused;
};

struct tcp_congestion_ops {
	char name[16];
	u32 flags;
	void (*release)(struct sock *sk);
	void (*init)(struct sock *sk);
	u32 (*sndbuf_expand)(struct sock *sk);
	u32 (*undo_cwnd)(struct sock *sk);
	u32 (*min_tso_segs)(struct sock *sk);
	void (*pkts_acked)(struct sock *sk, const void *sample);
	void (*in_ack_event)(struct sock *sk, u32 flags);
	void (*cwnd_event)(struct sock *sk, int event);
	void (*set_state)(struct sock *sk, u8 state);
	void (*cong_avoid)(struct sock *sk, u32 ack, u32 acked);
	u32 (*ssthresh)(struct sock *sk);
};

u64 table[16][8];

/* A mix of arithmetic and stores that the compiler can't fold: some 50 instructions for each callback. */
#define CALLBACK(result, name, row, value)               \
	SEC("struct_ops") result name(u64 *ctx)          \
	{                                                \
		u64 x = bpf_ktime_get_ns();              \
		for (int i = 0; i < 8; i++) {            \
			x ^= x << 13;                    \
			x ^= x >> 7;                     \
			table[row][i] += x;              \
		}                                        \
		return value;                            \
	}

CALLBACK(void, release, 0, )
CALLBACK(void, init, 1, )
CALLBACK(u32, sndbuf_expand, 2, 2)
CALLBACK(u32, undo_cwnd, 3, 10)
CALLBACK(u32, min_tso_segs, 4, 2)
CALLBACK(void, pkts_acked, 5, )
CALLBACK(void, in_ack_event, 6, )
CALLBACK(void, cwnd_event, 7, )
CALLBACK(void, set_state, 8, )
CALLBACK(void, cong_avoid, 9, )
CALLBACK(u32, ssthresh, 10, 10)

SEC(".struct_ops.link") struct tcp_congestion_ops large = {
	.release = (void *)release,
	.init = (void *)init,
	.sndbuf_expand = (void *)sndbuf_expand,
	.undo_cwnd = (void *)undo_cwnd,
	.min_tso_segs = (void *)min_tso_segs,
	.pkts_acked = (void *)pkts_acked,
	.in_ack_event = (void *)in_ack_event,
	.cwnd_event = (void *)cwnd_event,
	.set_state = (void *)set_state,
	.cong_avoid = (void *)cong_avoid,
	.ssthresh = (void *)ssthresh,
	.name = "ebpfx_large",
};

char _license[] SEC("license") = "GPL";
