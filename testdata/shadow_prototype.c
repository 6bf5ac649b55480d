/*
 * Callbacks written for other prototypes than the kernel's: init with a
 * parameter more, of which it makes nothing, and release with one that it
 * follows, so that only the verifier knows that it can't.
 */
#include "tcp.h"

struct tcp_congestion_ops___other {
	void (*init)(struct sock *sk, u32 more);
	u32 (*release)(u32 number);
	u32 (*ssthresh)(void *sk);
	void (*cong_avoid)(struct sock *sk, u32 ack, u32 acked);
	u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
};

RENO
SEC("struct_ops") void init(u64 *ctx) {}
SEC("struct_ops") u32 release(u64 *ctx) { return 0; }
SEC("?struct_ops") u32 deref(u64 *ctx) { return *(u32 *)ctx[1]; }

SEC(".struct_ops.link") struct tcp_congestion_ops___other odd = {
	RENO_MEMBERS,
	.init = (void *)init,
	.release = (void *)release,
	.name = "ebpfx_odd",
};

SEC("?.struct_ops.link") struct tcp_congestion_ops___other worse = {
	RENO_MEMBERS,
	.release = (void *)deref,
	.name = "ebpfx_worse",
};
