/* A function member where the kernel has a data pointer, with a callback in it. */
#define TCP_MEMBERS void (*owner)(struct sock *sk);
#include "tcp.h"

RENO
SEC("struct_ops") void owner(u64 *ctx) {}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.owner = (void *)owner,
	.name = "ebpfx_kind_func",
};
