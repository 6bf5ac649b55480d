/* A value in a member that no kernel has. */
#define TCP_MEMBERS u64 from_the_future;
#include "tcp.h"

RENO

SEC(".struct_ops.link") struct tcp_congestion_ops newer = {
	RENO_MEMBERS,
	.from_the_future = 42,
	.name = "ebpfx_newer_v",
};
