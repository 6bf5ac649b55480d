/* Two files with a static function of one name. */
#include "bpf.h"

static __noinline int helper(int x) { return x * 3; }

SEC("tc") int first(void *ctx) { return helper(bpf_get_prandom_u32()); }

char _license[] SEC("license") = "GPL";
