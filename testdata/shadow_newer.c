/*
 * An object for a kernel that does not exist yet: callbacks that no ops type
 * has, one of which calls a kfunc that no kernel has, and a value that is zero.
 * What every kernel has is in the first map, which works without all that.
 */
#define TCP_MEMBERS \
	void (*from_the_future)(struct sock *sk, u32 when); \
	u32 (*also_new)(struct sock *sk); \
	u32 new_limit;
#include "tcp.h"

extern void bpf_kfunc_of_the_future(struct sock *sk) __ksym;
extern void bpf_other_kfunc_of_the_future(struct sock *sk) __ksym;

RENO
SEC("struct_ops") void init(u64 *ctx) {}
SEC("struct_ops") void from_the_future(u64 *ctx) { bpf_kfunc_of_the_future((void *)ctx[0]); }
SEC("struct_ops") u32 also_new(u64 *ctx) { bpf_other_kfunc_of_the_future((void *)ctx[0]); return 0; }

SEC(".struct_ops.link") struct tcp_congestion_ops newer = {
	RENO_MEMBERS,
	.init = (void *)init,
	.from_the_future = (void *)from_the_future,
	.also_new = (void *)also_new,
	.name = "ebpfx_newer",
};
