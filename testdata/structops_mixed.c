/* Maps of two ops types, and one of them in the section without links. */
#include "tcp.h"

struct bpf_dummy_ops {
	int (*test_1)(void *state);
};

RENO
SEC("struct_ops") int test_1(u64 *ctx) { return 0; }

SEC(".struct_ops.link") struct tcp_congestion_ops tcp = {
	RENO_MEMBERS,
	.name = "ebpfx_mixed",
};

SEC(".struct_ops") struct bpf_dummy_ops dummy = {
	.test_1 = (void *)test_1,
};
