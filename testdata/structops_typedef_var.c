/* An ops variable whose type is reached through a typedef and a volatile. */
#include "tcp.h"

typedef struct tcp_congestion_ops ops_t;

RENO

SEC(".struct_ops.link") volatile ops_t typedefed = {
	RENO_MEMBERS,
	.name = "ebpfx_typedef",
};
