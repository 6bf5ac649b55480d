/* No BTF at all: built without -g, as every source whose name ends in _nobtf. */
#include "bpf.h"

struct tcp_congestion_ops {
	u32 (*ssthresh)(void *sk);
	char name[16];
};

SEC("struct_ops") u32 ssthresh(u64 *ctx) { return 2; }

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	.ssthresh = (void *)ssthresh,
	.name = "ebpfx_nobtf",
};

char _license[] SEC("license") = "GPL";
