/* Maps of maps that have inner maps from the start; some of these have locks. */
#include "tcp.h"

struct plain {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} first SEC(".maps"), second SEC(".maps");

struct bpf_spin_lock {
	u32 val;
};

struct element {
	struct bpf_spin_lock lock;
	u32 value;
};

struct locked {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct element);
} third SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 3);
	__type(key, u32);
	__type(value, u32);
	__array(values, struct plain);
} array SEC(".maps") = {
	.values = { [0] = &second, [2] = &first },
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 3);
	__type(key, u32);
	__type(value, u32);
	__array(values, struct plain);
} hash SEC(".maps") = {
	.values = { [1] = &first },
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, u32);
	__array(values, struct locked);
} locks SEC(".maps") = {
	.values = { [1] = &third },
};

RENO_SSTHRESH
RENO_CONG_AVOID
RENO_UNDO_CWND

SEC("struct_ops") void init(u64 *ctx)
{
	u32 zero = 0;
	void *inner = bpf_map_lookup_elem(&array, &zero);
	u64 *value = inner ? bpf_map_lookup_elem(inner, &zero) : (void *)0;

	if (value)
		*value += 1;
}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.init = (void *)init,
	.name = "ebpfx_outer",
};
