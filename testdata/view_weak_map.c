/* A weak map. */
#include "bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} weak_map __weak SEC(".maps");

SEC("tc") int prog(void *ctx)
{
	u32 key = 0;

	return !!bpf_map_lookup_elem(&weak_map, &key);
}

char _license[] SEC("license") = "GPL";
