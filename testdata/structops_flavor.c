/* A flavor of the ops type: tcp_congestion_ops___v2 means tcp_congestion_ops. */
#define TCP_OPS tcp_congestion_ops___v2
#include "tcp.h"

RENO

SEC(".struct_ops.link") struct tcp_congestion_ops___v2 flavored = {
	RENO_MEMBERS,
	.name = "ebpfx_flavor",
};
