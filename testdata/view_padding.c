/* Padding before declared shifts what is known of the functions behind it. */
#include "bpf.h"

__noinline int alpha(int x) { return 1; }
__noinline __attribute__((aligned(32))) int declared(long x) { return 2; }
__noinline int victim(void *p) { return (long)p; }

struct ctx {
	u32 a, b, c, d, queue;
};

SEC("xdp") int prog(struct ctx *ctx) { return victim((void *)(long)(ctx->queue & 3)) ? 2 : 1; }

char _license[] SEC("license") = "GPL";
