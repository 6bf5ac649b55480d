/* A member of 8 bytes where the kernel's has 4. */
#define TCP_MEMBERS u64 flags;
#include "tcp.h"

RENO

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.name = "ebpfx_size",
};
