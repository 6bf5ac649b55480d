/* What a module's function is traced by: named alone, with its module, and one of the kernel proper. */
#include "bpf.h"

SEC("fentry/bpf_testmod_test_read") int alone(void *ctx) { return 0; }
SEC("fentry/bpf_testmod:bpf_testmod_test_read") int with_module(void *ctx) { return 0; }
SEC("fexit/vmlinux:bpf_prog_put") int proper(void *ctx) { return 0; }

char _license[] SEC("license") = "GPL";
