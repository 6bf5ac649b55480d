/*
 * A congestion control that does what Reno does, in pieces for the cases to
 * put together. The ops type is a subset of the kernel's, in another order.
 *
 * Before including this file a case may define
 *   TCP_MEMBERS  more members of the ops type, at its end
 *   TCP_OPS      another name for it
 *   LICENSE      another license
 */
#pragma once

#include "bpf.h"

#ifndef TCP_MEMBERS
#define TCP_MEMBERS
#endif

#ifndef TCP_OPS
#define TCP_OPS tcp_congestion_ops
#endif

#ifndef LICENSE
#define LICENSE "GPL"
#endif

struct sock {
	int unused;
};

struct TCP_OPS {
	void (*init)(struct sock *sk);
	void (*release)(struct sock *sk);
	u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, u32 ack, u32 acked);
	u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
	TCP_MEMBERS
};

extern u32 tcp_reno_ssthresh(struct sock *sk) __ksym;
extern void tcp_reno_cong_avoid(struct sock *sk, u32 ack, u32 acked) __ksym;
extern u32 tcp_reno_undo_cwnd(struct sock *sk) __ksym;

/* The required callbacks as programs ... */
#define RENO_SSTHRESH \
	SEC("struct_ops") u32 ssthresh(u64 *ctx) { return tcp_reno_ssthresh((void *)ctx[0]); }
#define RENO_CONG_AVOID \
	SEC("struct_ops") void cong_avoid(u64 *ctx) { tcp_reno_cong_avoid((void *)ctx[0], ctx[1], ctx[2]); }
#define RENO_UNDO_CWND \
	SEC("struct_ops") u32 undo_cwnd(u64 *ctx) { return tcp_reno_undo_cwnd((void *)ctx[0]); }
#define RENO RENO_SSTHRESH RENO_CONG_AVOID RENO_UNDO_CWND

/* ... and as members of the ops variable. */
#define RENO_MEMBERS \
	.ssthresh = (void *)ssthresh, .cong_avoid = (void *)cong_avoid, .undo_cwnd = (void *)undo_cwnd

char _license[] SEC("license") = LICENSE;
