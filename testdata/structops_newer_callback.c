/* A callback in a function member that no kernel has. */
#define TCP_MEMBERS void (*from_the_future)(struct sock *sk);
#include "tcp.h"

RENO
SEC("struct_ops") void newer_callback(u64 *ctx) {}

SEC(".struct_ops.link") struct tcp_congestion_ops newer = {
	RENO_MEMBERS,
	.from_the_future = (void *)newer_callback,
	.name = "ebpfx_newer_c",
};
