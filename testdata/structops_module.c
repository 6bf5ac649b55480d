/*
 * An ops type of the module bpf_testmod: the value type is found in module BTF.
 * The members are in another order than the module's.
 */
#include "bpf.h"

struct bpf_testmod_ops {
	int data;
	void (*test_2)(int a, int b);
	int (*test_1)(void);
	char onebyte;
};

int sum;

SEC("struct_ops") int test_1(u64 *ctx) { return 0xdead; }
SEC("struct_ops") void test_2(u64 *ctx) { sum = ctx[0] + ctx[1]; }

SEC(".struct_ops.link") struct bpf_testmod_ops testmod = {
	.data = 13,
	.test_1 = (void *)test_1,
	.test_2 = (void *)test_2,
	.onebyte = 1,
};

char _license[] SEC("license") = "GPL";
