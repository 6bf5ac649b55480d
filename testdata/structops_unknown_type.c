/* An ops type that no kernel has. */
#include "bpf.h"

struct my_unknown_ops {
	int (*run)(void *arg);
};

SEC("struct_ops") int run(u64 *ctx) { return 0; }

SEC(".struct_ops.link") struct my_unknown_ops unknown = {
	.run = (void *)run,
};

char _license[] SEC("license") = "GPL";
