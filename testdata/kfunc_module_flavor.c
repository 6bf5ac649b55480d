/* A kfunc that a module has, under a flavor and strong. prog returns 1. */
#include "bpf.h"

extern void bpf_testmod_test_mod_kfunc___two(int i) __ksym;

SEC("tc") int prog(void *ctx)
{
	bpf_testmod_test_mod_kfunc___two(1);
	bpf_testmod_test_mod_kfunc___two(2);
	return 1;
}

char _license[] SEC("license") = "GPL";
