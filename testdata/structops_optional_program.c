/* Program section ?struct_ops: loaded all the same, since a map names it; a second one that nothing names is not. */
#include "tcp.h"

RENO
SEC("?struct_ops") void init(u64 *ctx) {}
SEC("?struct_ops") void orphan(u64 *ctx) {}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.init = (void *)init,
	.name = "ebpfx_optprog",
};
