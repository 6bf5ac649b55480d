/* A member of another kind: an enum where the kernel has an integer. */
#include "bpf.h"

enum tcp_flags {
	TCP_FLAGS_NONE,
};

#define TCP_MEMBERS enum tcp_flags flags;
#include "tcp.h"

RENO

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.name = "ebpfx_kind",
};
