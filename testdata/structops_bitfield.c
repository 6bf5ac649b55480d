/* A bitfield where the kernel has none; refused even though it is zero. */
#define TCP_MEMBERS u32 flags : 4;
#include "tcp.h"

RENO

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.name = "ebpfx_bitfield",
};
