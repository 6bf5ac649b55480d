/* An ops variable that is an integer. */
#include "bpf.h"

SEC(".struct_ops.link") u64 one = 1;

char _license[] SEC("license") = "GPL";
