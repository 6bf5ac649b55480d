/* A function member that names a subprogram in .text, which is no program at all. */
#include "tcp.h"

RENO
__noinline void subprog(u64 *ctx) {}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.init = (void *)subprog,
	.name = "ebpfx_subtarget",
};
