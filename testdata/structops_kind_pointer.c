/* A member of another kind: an integer where the kernel has a pointer. */
#define TCP_MEMBERS u64 owner;
#include "tcp.h"

RENO

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.name = "ebpfx_kind_ptr",
};
