/* An optional map of an ops type that no kernel has: not looked up, not created. */
#include "tcp.h"

struct my_unknown_ops {
	int (*run)(struct sock *sk);
};

RENO
SEC("struct_ops") int run(u64 *ctx) { return 0; }

SEC(".struct_ops.link") struct tcp_congestion_ops normal = {
	RENO_MEMBERS,
	.name = "ebpfx_normal",
};

SEC("?.struct_ops.link") struct my_unknown_ops unknown = {
	.run = (void *)run,
};
