/* Every kind of extern, strong and weak, called and loaded. */
#include "bpf.h"

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym __weak;
extern const int bpf_prog_active __ksym;
extern const int no_such_variable __ksym __weak;
extern const void no_such_symbol __ksym __weak;
extern int CONFIG_HZ __kconfig;
extern int CONFIG_DOES_NOT_EXIST __kconfig __weak;

static void *(*const bpf_this_cpu_ptr)(const void *ptr) = (void *)154;

SEC("syscall") int prog(void *ctx)
{
	bpf_rcu_read_lock();
	if (bpf_ksym_exists(bpf_rcu_read_unlock))
		bpf_rcu_read_unlock();
	return *(int *)bpf_this_cpu_ptr(&bpf_prog_active) + !!&no_such_variable + !!&no_such_symbol + CONFIG_HZ + CONFIG_DOES_NOT_EXIST;
}

char _license[] SEC("license") = "GPL";
