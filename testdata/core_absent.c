/* The size and the ID of a type that no kernel has are 0, those of one that all have are not. */
#include "bpf.h"

struct no_such_type { u32 a; };
struct task_struct { u32 a; } __core;

#define SIZE(type) __builtin_preserve_type_info(*(type *)0, 1)
#define KERNEL_ID(type) __builtin_btf_type_id(*(type *)0, 1)

SEC("socket") int prog(void *skb)
{
	return SIZE(struct no_such_type) + KERNEL_ID(struct no_such_type) + 10 * (SIZE(struct task_struct) > 0) +
	       100 * (KERNEL_ID(struct task_struct) > 0);
}

char _license[] SEC("license") = "GPL";
