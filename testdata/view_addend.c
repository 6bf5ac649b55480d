/* A reference to a global variable with an addend, as assembly can have it. */
#include "bpf.h"

int before;
int array[4];

SEC("tc") int prog(void *ctx)
{
	int *p;

	asm volatile("%0 = array + 8 ll" : "=r"(p));
	return *p + before++ + array[0];
}

char _license[] SEC("license") = "GPL";
