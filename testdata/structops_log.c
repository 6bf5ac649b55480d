/* A callback that the verifier refuses: it follows a number as if it were a pointer. */
#include "tcp.h"

RENO_CONG_AVOID
RENO_UNDO_CWND

SEC("struct_ops") u32 ssthresh(u64 *ctx)
{
	return *(volatile u32 *)(long)bpf_get_prandom_u32();
}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.name = "ebpfx_log",
};
