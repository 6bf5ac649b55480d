/* The call of an absent kfunc is the first instruction of a subprogram. prog
 * returns 7; reached runs into the call. */
#include "bpf.h"

extern int bpf_no_such_kfunc(void) __ksym __weak;

static __noinline int sub(void)
{
	asm volatile("");
	return bpf_no_such_kfunc();
}

SEC("tc") int prog(void *ctx) { return bpf_no_such_kfunc ? sub() : 7; }

SEC("?tc") int reached(void *ctx) { return sub(); }

char _license[] SEC("license") = "GPL";
