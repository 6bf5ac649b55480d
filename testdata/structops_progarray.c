/*
 * A program array with static contents, which can only be filled once its
 * programs are loaded. entry calls the second slot and returns what it returns;
 * the first stays empty.
 */
#include "tcp.h"

int callee(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(u32));
	__array(values, int(void *));
} calls SEC(".maps") = {
	.values = { [1] = (void *)&callee },
};

RENO

SEC("tc") int callee(void *ctx) { return 42; }

SEC("tc") int entry(void *ctx)
{
	bpf_tail_call(ctx, &calls, 1);
	return 1;
}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.name = "ebpfx_progarray",
};
