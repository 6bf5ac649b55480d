/*
 * What a callback can say about kernel functions: strong ones, a weak one that
 * no kernel has behind a guard, two weak flavors of one kfunc of which the
 * kernel's prototype selects the second, and a strong flavor.
 */
#include "tcp.h"

struct tcp_sock {
	u32 snd_cwnd;
} __core;

extern void no_such_kfunc(struct sock *sk) __ksym __weak;
extern void tcp_slow_start___wrong(struct sock *sk, u32 acked, u64 more) __ksym __weak;
extern u32 tcp_slow_start___right(struct tcp_sock *tp, u32 acked) __ksym __weak;
extern u32 tcp_reno_undo_cwnd___strong(struct sock *sk) __ksym;

/* The branch that init took: 1 absent, 2 wrong, 3 right, 0 none. */
int guard, flavor;

RENO_SSTHRESH
RENO_CONG_AVOID

SEC("struct_ops") u32 undo_cwnd(u64 *ctx)
{
	return tcp_reno_undo_cwnd___strong((void *)ctx[0]);
}

SEC("struct_ops") void init(u64 *ctx)
{
	if (bpf_ksym_exists(no_such_kfunc))
		no_such_kfunc((void *)ctx[0]);
	else
		guard = 1;

	if (bpf_ksym_exists(tcp_slow_start___wrong)) {
		tcp_slow_start___wrong((void *)ctx[0], 0, 0);
		flavor = 2;
	} else if (bpf_ksym_exists(tcp_slow_start___right)) {
		tcp_slow_start___right((void *)ctx[0], 0);
		flavor = 3;
	}
}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.init = (void *)init,
	.name = "ebpfx_kfuncs",
};
