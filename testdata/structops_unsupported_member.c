/* A callback in get_info, for which the kernel has no stub: refused when the program is loaded. */
#define TCP_MEMBERS u64 (*get_info)(struct sock *sk, u32 ext, int *attr, void *info);
#include "tcp.h"

RENO
SEC("struct_ops") u64 get_info(u64 *ctx) { return 0; }

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.get_info = (void *)get_info,
	.name = "ebpfx_unsupp",
};
