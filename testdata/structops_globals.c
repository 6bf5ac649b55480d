/* Variables in .data, .bss, .rodata and a section of their own, read and written by callbacks. */
#include "tcp.h"

u32 lowest = 4;
u64 calls;
const volatile u32 divisor = 2;
u64 in_section SEC(".data.stats") = 7;
static u32 not_visible = 9;

RENO_CONG_AVOID
RENO_UNDO_CWND

SEC("struct_ops") u32 ssthresh(u64 *ctx)
{
	u32 half = tcp_reno_ssthresh((void *)ctx[0]) / (divisor ? divisor : 1);

	calls++;
	in_section += half;
	not_visible++;
	return half > lowest ? half : lowest;
}

SEC("struct_ops") void init(u64 *ctx)
{
	calls = not_visible;
}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.init = (void *)init,
	.name = "ebpfx_globals",
};
