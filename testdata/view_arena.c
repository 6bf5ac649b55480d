/* Variables in an arena: global ones by symbol, static ones by section. */
#include "bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, 1 << 10);
	__uint(max_entries, 4);
} arena SEC(".maps");

__arena u64 first = 7;
__arena u64 second = 8;
static __arena u32 third[4] = { 1, 2, 3, 4 };

SEC("syscall") int prog(void *ctx)
{
	void *volatile use = &arena;

	(void)use;
	return *(volatile __arena u64 *)&second + *(volatile __arena u64 *)&first +
	       *(volatile __arena u32 *)&third[bpf_get_prandom_u32() & 3];
}

char _license[] SEC("license") = "GPL";
