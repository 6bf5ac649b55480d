/*
 * CO-RE in callbacks: a field at another offset than the local one, a field
 * that no kernel has, a type that every kernel has and one that none has.
 */
#include "bpf.h"

struct sock {
	int unused;
} __core;

struct tcp_sock {
	u32 no_such_field;
	u32 snd_ssthresh;
	u32 snd_cwnd;
} __core;

struct task_struct {
	int pid;
} __core;

struct no_such_type {
	int unused;
} __core;

struct tcp_congestion_ops {
	u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, u32 ack, u32 acked);
	u32 (*undo_cwnd)(struct sock *sk);
	void (*init)(struct sock *sk);
	char name[16];
};

int known_type = -1, unknown_type = -1, unknown_field = -1;

SEC("struct_ops") u32 ssthresh(u64 *ctx)
{
	struct tcp_sock *tp = (void *)ctx[0];
	u32 half = tp->snd_cwnd / 2;

	return half > 2 ? half : 2;
}

SEC("struct_ops") void cong_avoid(u64 *ctx)
{
	struct tcp_sock *tp = (void *)ctx[0];

	if (tp->snd_cwnd < tp->snd_ssthresh)
		tp->snd_cwnd = tp->snd_cwnd + 1;
}

SEC("struct_ops") u32 undo_cwnd(u64 *ctx)
{
	struct tcp_sock *tp = (void *)ctx[0];

	return tp->snd_cwnd;
}

SEC("struct_ops") void init(u64 *ctx)
{
	struct tcp_sock *tp = (void *)ctx[0];

	known_type = bpf_core_type_exists(struct task_struct);
	unknown_type = bpf_core_type_exists(struct no_such_type);
	unknown_field = bpf_core_field_exists(tp->no_such_field);
}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.init = (void *)init,
	.name = "ebpfx_core",
};

char _license[] SEC("license") = "GPL";
