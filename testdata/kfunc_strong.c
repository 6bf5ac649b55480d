/* What no kernel resolves: a strong kfunc that is missing and one with another
 * prototype. */
#include "bpf.h"

extern int bpf_no_such_kfunc(const char *s, int n) __ksym;
extern int *bpf_rcu_read_lock(int a, void **b) __ksym;

SEC("tc") int prog(void *ctx)
{
	return bpf_no_such_kfunc("", 0) + !!bpf_rcu_read_lock(1, 0);
}

char _license[] SEC("license") = "GPL";
