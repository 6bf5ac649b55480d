/* A member that no kernel has, left zero: it does no harm. */
#define TCP_MEMBERS u64 from_the_future;
#include "tcp.h"

RENO

SEC(".struct_ops.link") struct tcp_congestion_ops newer = {
	RENO_MEMBERS,
	.name = "ebpfx_newer_m",
};
