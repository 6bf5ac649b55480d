/* Kernel variables with a type. The address of a per-CPU variable is only good
 * as argument of a helper. */
#include "bpf.h"

extern const int bpf_prog_active __ksym;
extern const int bpf_no_such_variable __ksym __weak;

static void *(*bpf_per_cpu_ptr)(const void *ptr, u32 cpu) = (void *)153;

SEC("raw_tp/sys_enter") int prog(void *ctx)
{
	int *active = bpf_per_cpu_ptr(&bpf_prog_active, 0);

	return &bpf_no_such_variable || !active ? 0 : *active;
}

char _license[] SEC("license") = "GPL";
