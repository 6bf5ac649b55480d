/*
 * The addresses of a hidden, a weak and a static function, none of which is the
 * first of its section. Each run of prog adds 10 * 100 to hits, 10 * 10000 and
 * 10 * 1000000.
 */
#include "bpf.h"

u64 hits;

__hidden __noinline int add_one(u32 i, void *ctx) { hits += 1; return 0; }
__hidden __noinline int add_hidden(u32 i, void *ctx) { hits += 100; return 0; }
__hidden __weak int add_weak(u32 i, void *ctx) { hits += 10000; return 0; }
static int add_static(u32 i, void *ctx) { hits += 1000000; return 0; }

SEC("syscall") int prog(void *ctx)
{
	add_one(0, 0);
	hits = 0;
	bpf_loop(10, add_hidden, 0, 0);
	bpf_loop(10, add_weak, 0, 0);
	bpf_loop(10, add_static, 0, 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
