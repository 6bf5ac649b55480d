/* A value in a data pointer member, which can't carry one. */
#define TCP_MEMBERS void *owner;
#include "tcp.h"

RENO

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.owner = (void *)0x1234,
	.name = "ebpfx_data_ptr",
};
