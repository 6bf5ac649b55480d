/* A license that is not GPL compatible. */
#define LICENSE "Proprietary"
#include "tcp.h"

RENO

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.name = "ebpfx_nogpl",
};
