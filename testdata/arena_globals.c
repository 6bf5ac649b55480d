/*
 * Variables of an arena: with an initial value, static, and a list whose pointers
 * the program stores and user space can follow.
 */
#include "bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, 1 << 10); /* BPF_F_MMAPABLE */
	__uint(max_entries, 8);
#ifdef AT
	enum { at = AT } map_extra;
#endif
} arena SEC(".maps");

struct node {
	struct node __arena *next;
	u64 value;
};

__arena u64 counter = 41;
__arena u64 sum;
__arena struct node first = { .value = 1 };
__arena struct node second = { .value = 20 };
static __arena u32 table[4] = { 100, 200, 300, 400 };
struct node __arena *__arena head;

/* Of the object's ordinary data. */
struct node __arena *seen;

SEC("syscall") int prog(void *ctx)
{
	void *volatile use = &arena;

	(void)use;
	counter++;
	for (int i = 0; i < 4; i++)
		sum += *(volatile __arena u32 *)&table[i];
	second.value += 300;
	first.next = &second;
	head = &first;
	seen = head->next;
	return 0;
}

char _license[] SEC("license") = "GPL";
