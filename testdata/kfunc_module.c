/* A kfunc that a module has: its address and two calls. */
#include "bpf.h"

extern void bpf_testmod_test_mod_kfunc(int i) __ksym __weak;

SEC("tc") int prog(void *ctx)
{
	if (!bpf_testmod_test_mod_kfunc)
		return 0;
	bpf_testmod_test_mod_kfunc(1);
	bpf_testmod_test_mod_kfunc(2);
	return 1;
}

char _license[] SEC("license") = "GPL";
