/* Two weak flavors of one kfunc, of which the kernel's prototype selects one.
 * prog returns 1. */
#include "bpf.h"

extern void bpf_rcu_read_lock(int a, int b, int c) __ksym __weak;
extern void bpf_rcu_read_lock___void(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym;

SEC("tc") int prog(void *ctx)
{
	if (bpf_rcu_read_lock) {
		bpf_rcu_read_lock(1, 2, 3);
		return 2;
	}
	if (!bpf_rcu_read_lock___void)
		return 3;
	bpf_rcu_read_lock___void();
	bpf_rcu_read_unlock();
	return 1;
}

char _license[] SEC("license") = "GPL";
