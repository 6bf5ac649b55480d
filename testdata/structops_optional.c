/*
 * Section ?.struct_ops.link with two variables beside a normal map: neither
 * optional map is created unless asked for, nor is the program that only it
 * names. The fentry program is optional and has no target in any kernel.
 */
#include "tcp.h"

RENO
SEC("struct_ops") void init_left(u64 *ctx) {}
SEC("struct_ops") void init_right(u64 *ctx) {}
SEC("?fentry/no_such_kernel_function") int absent(u64 *ctx) { return 0; }

SEC(".struct_ops.link") struct tcp_congestion_ops normal = {
	RENO_MEMBERS,
	.name = "ebpfx_normal",
};

SEC("?.struct_ops.link") struct tcp_congestion_ops left = {
	RENO_MEMBERS,
	.init = (void *)init_left,
	.name = "ebpfx_left",
};

SEC("?.struct_ops.link") struct tcp_congestion_ops right = {
	RENO_MEMBERS,
	.init = (void *)init_right,
	.name = "ebpfx_right",
};
