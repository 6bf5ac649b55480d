/* struct_ops.s on a member that may sleep. The value can be set; the type has no registration. */
#include "dummy.h"

SEC("struct_ops") int test_1(u64 *ctx) { return 0; }
SEC("struct_ops.s") int test_sleepable(u64 *ctx) { return 0; }

SEC(".struct_ops.link") struct bpf_dummy_ops sleepable = {
	.test_1 = (void *)test_1,
	.test_sleepable = (void *)test_sleepable,
};
