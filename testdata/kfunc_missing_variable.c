/* A weak variable that no kernel has. prog returns 1. */
#include "bpf.h"

extern const int bpf_no_such_variable __ksym __weak;

SEC("tc") int prog(void *ctx) { return &bpf_no_such_variable ? 2 : 1; }

char _license[] SEC("license") = "GPL";
