/* Programs in sections that tell no program type, one of them optional. */
#include "bpf.h"

SEC("ebpfx") int custom(void *ctx) { return 7; }
SEC("?ebpfx") int spare(void *ctx) { return 8; }

char _license[] SEC("license") = "GPL";
