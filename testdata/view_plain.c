/* What every loader reads: a map, variables, a subprogram. The view leaves it alone. */
#include "bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

u64 seen;
int step = 3;
const volatile int limit = 100;

__noinline int add(int x) { return x + step; }

SEC("xdp") int prog(void *ctx)
{
	u32 key = 0;
	u64 *value = bpf_map_lookup_elem(&counters, &key);

	if (value && seen++ < limit)
		*value += add(key);
	return 2;
}

char _license[] SEC("license") = "GPL";
