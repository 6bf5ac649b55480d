/* See view_twins.1.c. */
#include "bpf.h"

static __noinline int helper(int x) { return x * 5; }

SEC("tc") int second(void *ctx) { return helper(bpf_get_prandom_u32()); }
