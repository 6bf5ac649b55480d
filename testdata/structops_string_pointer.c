/* A data pointer member that points into .rodata: a relocation that names no function. */
#define TCP_MEMBERS const char *owner;
#include "tcp.h"

const char text[] = "read only";

RENO

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.owner = text,
	.name = "ebpfx_string",
};
