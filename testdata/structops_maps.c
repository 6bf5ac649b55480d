/* Callbacks that use a hash, an array and a per-CPU array. */
#include "tcp.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, u64);
	__type(value, u64);
} by_socket SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} total SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} per_cpu SEC(".maps");

static void count(void *map, const void *key)
{
	u64 *value = bpf_map_lookup_elem(map, key);

	if (value)
		*value += 1;
}

RENO_SSTHRESH
RENO_UNDO_CWND

SEC("struct_ops") void cong_avoid(u64 *ctx)
{
	u32 zero = 0;
	u64 socket = ctx[0];

	count(&total, &zero);
	count(&per_cpu, &zero);
	count(&by_socket, &socket);
	tcp_reno_cong_avoid((void *)ctx[0], ctx[1], ctx[2]);
}

SEC("struct_ops") void init(u64 *ctx)
{
	u64 socket = ctx[0], none = 0;

	bpf_map_update_elem(&by_socket, &socket, &none, 0);
}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.init = (void *)init,
	.name = "ebpfx_maps",
};
