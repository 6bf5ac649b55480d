/* A kfunc without DATASEC .ksyms, as in a Rust extern block. prog returns 1. */
#include "bpf.h"

extern void bpf_rcu_read_lock(void);
extern void bpf_rcu_read_unlock(void);

SEC("tc") int prog(void *ctx)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	return 1;
}

char _license[] SEC("license") = "GPL";
