/*
 * Switches that become jump tables: in a program, and in a function that two
 * programs call, one of which has it elsewhere than in the file.
 */
#include "bpf.h"

u64 seen;

static __noinline int sub(u64 *ctx)
{
	switch (ctx[1]) {
	case 0: seen += 3; return 10;
	case 1: seen ^= 7; return 20;
	case 2: seen *= 5; return 30;
	case 3: seen -= 9; return 40;
	case 5: seen |= 1; return 60;
	case 6: seen &= 6; return 70;
	}
	return 0;
}

__noinline int before(u64 *ctx) { return ctx[2] * 3; }

SEC("syscall") int prog(u64 *ctx)
{
	switch (ctx[0]) {
	case 0: seen = 1; break;
	case 1: seen += 20; return 4;
	case 2: seen ^= 300; break;
	case 3: seen *= 11; break;
	case 4: return sub(ctx);
	case 6: seen -= 7; return before(ctx);
	}
	return 1;
}

SEC("syscall") int other(u64 *ctx) { return before(ctx) + sub(ctx); }

char _license[] SEC("license") = "GPL";
