/* Section ?.struct_ops: an optional map without a link, beside a normal one. */
#include "tcp.h"

RENO
SEC("struct_ops") void init_spare(u64 *ctx) {}

SEC(".struct_ops.link") struct tcp_congestion_ops normal = {
	RENO_MEMBERS,
	.name = "ebpfx_normal",
};

SEC("?.struct_ops") struct tcp_congestion_ops spare = {
	RENO_MEMBERS,
	.init = (void *)init_spare,
	.name = "ebpfx_spare",
};
