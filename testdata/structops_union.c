/* An ops variable that is a union. */
#include "bpf.h"

union tcp_congestion_ops {
	u32 (*ssthresh)(void *sk);
	char name[16];
};

SEC("struct_ops") u32 ssthresh(u64 *ctx) { return 2; }

SEC(".struct_ops.link") union tcp_congestion_ops one = {
	.ssthresh = (void *)ssthresh,
};

char _license[] SEC("license") = "GPL";
