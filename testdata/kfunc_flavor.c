/* A kfunc under a flavor. prog returns 1 if the kfunc was found by its
 * essential name, and 2 if it counts as absent. */
#include "bpf.h"

extern void bpf_rcu_read_lock___new(void) __ksym __weak;
extern void bpf_rcu_read_unlock___new(void) __ksym __weak;

SEC("tc") int prog(void *ctx)
{
	if (!bpf_rcu_read_lock___new)
		return 2;
	bpf_rcu_read_lock___new();
	bpf_rcu_read_unlock___new();
	return 1;
}

char _license[] SEC("license") = "GPL";
