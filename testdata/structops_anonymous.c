/* An ops variable of a struct that has no name. */
#include "bpf.h"

SEC("struct_ops") u32 ssthresh(u64 *ctx) { return 2; }

SEC(".struct_ops.link") struct {
	u32 (*ssthresh)(void *sk);
	char name[16];
} one = {
	.ssthresh = (void *)ssthresh,
	.name = "ebpfx_anonymous",
};

char _license[] SEC("license") = "GPL";
