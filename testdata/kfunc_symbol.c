/* Symbols without a type. */
#include "bpf.h"

extern const void bpf_map_put __ksym;
extern const void no_such_symbol __ksym __weak;

u64 found;

SEC("tc") int prog(void *ctx)
{
	found = (u64)&bpf_map_put;
	return &no_such_symbol ? 2 : 1;
}

char _license[] SEC("license") = "GPL";
