/*
 * A value type exists in every kernel (struct bpf_struct_ops_common_value), yet
 * belongs to no subsystem, and there is no struct common_value to go with it.
 */
#include "bpf.h"

struct common_value {
	int (*run)(void *arg);
};

SEC("struct_ops") int run(u64 *ctx) { return 0; }

SEC(".struct_ops.link") struct common_value lookalike = {
	.run = (void *)run,
};

char _license[] SEC("license") = "GPL";
