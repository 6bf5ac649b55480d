/* A virtual value that is not in the kernel's configuration. */
#include "bpf.h"

extern _Bool LINUX_HAS_BPF_COOKIE __kconfig;

SEC("tc") int prog(void *ctx) { return LINUX_HAS_BPF_COOKIE; }

char _license[] SEC("license") = "GPL";
