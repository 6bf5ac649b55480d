/* One program in two members of a map: it can carry one member index only. */
#include "tcp.h"

RENO
SEC("struct_ops") void both(u64 *ctx) {}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.init = (void *)both,
	.release = (void *)both,
	.name = "ebpfx_reuse",
};
