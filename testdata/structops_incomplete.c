/* The required cong_avoid is missing: refused when the value is set. */
#include "tcp.h"

RENO_SSTHRESH
RENO_UNDO_CWND

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	.ssthresh = (void *)ssthresh,
	.undo_cwnd = (void *)undo_cwnd,
	.name = "ebpfx_incomplet",
};
