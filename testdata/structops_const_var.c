/* A const ops variable: the type of the VAR is reached through a CONST. */
#include "tcp.h"

RENO

SEC(".struct_ops.link") const struct tcp_congestion_ops constant = {
	RENO_MEMBERS,
	.name = "ebpfx_const",
};
