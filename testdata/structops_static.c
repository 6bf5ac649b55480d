/* Static callbacks: relocated against the section symbol, the function is in the addend. */
#include "tcp.h"

static RENO_SSTHRESH
static RENO_CONG_AVOID
static RENO_UNDO_CWND

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.name = "ebpfx_static",
};
