/* A struct_ops program that no ops variable names. */
#include "tcp.h"

RENO
SEC("struct_ops") void orphan(u64 *ctx) {}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.name = "ebpfx_orphan",
};
