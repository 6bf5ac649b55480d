/* Unnamed parameters, as C23 has them. */
#include "bpf.h"

#pragma clang diagnostic ignored "-Wc2x-extensions"

__noinline int ignores(int, int second) { return second; }

SEC("tc") int prog(void *) { return ignores(1, bpf_get_prandom_u32()); }

char _license[] SEC("license") = "GPL";
