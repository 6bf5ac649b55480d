/* A function member that names a program which is no struct_ops program. */
#include "tcp.h"

RENO
SEC("socket") int filter(void *ctx) { return 0; }

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.init = (void *)filter,
	.name = "ebpfx_wrong",
};
