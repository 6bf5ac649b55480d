/* One program in the same member of two maps, the second a flavor of the type: allowed, the member index is one. */
#include "tcp.h"

struct tcp_congestion_ops___short {
	char name[16];
	u32 (*undo_cwnd)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, u32 ack, u32 acked);
	u32 (*ssthresh)(struct sock *sk);
};

RENO

SEC(".struct_ops.link") struct tcp_congestion_ops first = {
	RENO_MEMBERS,
	.name = "ebpfx_same1",
};

SEC(".struct_ops.link") struct tcp_congestion_ops___short second = {
	RENO_MEMBERS,
	.name = "ebpfx_same2",
};
