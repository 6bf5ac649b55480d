/* A nested struct that is not zero: copied, and refused by the kernel when the value is set. */
#include "bpf.h"

struct list_head {
	u64 next, prev;
};

#define TCP_MEMBERS struct list_head list;
#include "tcp.h"

RENO

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.list = { 1, 2 },
	.name = "ebpfx_nested",
};
