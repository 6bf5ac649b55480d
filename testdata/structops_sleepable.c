/* struct_ops.s on a member that must not sleep: refused when the program is loaded. */
#include "dummy.h"

SEC("struct_ops.s") int test_1(u64 *ctx) { return 0; }

SEC(".struct_ops.link") struct bpf_dummy_ops sleepable = {
	.test_1 = (void *)test_1,
};
