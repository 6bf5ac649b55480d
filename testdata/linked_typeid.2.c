/* See linked_typeid.1.c. */
#include "linked_core.h"

struct last { u32 a; };
struct unknown_to_the_kernel { u32 a; };
int local, target, absent;

SEC("syscall") int prog(void *ctx)
{
	local = __builtin_btf_type_id(*(struct last *)0, 0);
	target = __builtin_btf_type_id(*(struct task_struct *)0, 1);
	absent = __builtin_btf_type_id(*(struct unknown_to_the_kernel *)0, 1);
	return 0;
}
