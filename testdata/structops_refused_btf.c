/*
 * BTF that no kernel takes, because of an enum that is only declared, in an object
 * that can do without.
 */
#include "bpf.h"

enum declared;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, enum declared *);
} numbers SEC(".maps");

u64 start = 40;

__noinline u64 sum(u64 a, u64 b) { return a + b; }

SEC("socket") int prog(void *skb)
{
	u32 zero = 0;
	u64 *number = bpf_map_lookup_elem(&numbers, &zero);

	return number ? sum(start, *number) : 0;
}

char _license[] SEC("license") = "GPL";
