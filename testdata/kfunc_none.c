/* No extern. */
#include "bpf.h"

SEC("xdp") int prog(void *ctx) { return 2; }

char _license[] SEC("license") = "GPL";
