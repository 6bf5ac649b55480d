/* A function address in an integer member: the shape of a Rust usize. */
#include "bpf.h"

struct tcp_congestion_ops {
	u64 ssthresh, cong_avoid, undo_cwnd;
	char name[16];
};

SEC("struct_ops") u32 ssthresh(u64 *ctx) { return 2; }
SEC("struct_ops") void cong_avoid(u64 *ctx) {}
SEC("struct_ops") u32 undo_cwnd(u64 *ctx) { return 2; }

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	.ssthresh = (u64)ssthresh,
	.cong_avoid = (u64)cong_avoid,
	.undo_cwnd = (u64)undo_cwnd,
	.name = "ebpfx_integer",
};

char _license[] SEC("license") = "GPL";
