/* Ops variables that are static and const: local symbols, their VAR offsets are in the DATASEC already. */
#include "tcp.h"

RENO

SEC(".struct_ops.link") static struct tcp_congestion_ops local_one = {
	RENO_MEMBERS,
	.name = "ebpfx_static1",
};

SEC(".struct_ops.link") static struct tcp_congestion_ops local_two = {
	RENO_MEMBERS,
	.name = "ebpfx_static2",
};
