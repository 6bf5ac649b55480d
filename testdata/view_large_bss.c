/* 8 MB of zeroes, with small variables behind them. */
#include "bpf.h"

u8 table[8 << 20];
u64 behind;
__hidden u64 secret;

SEC("tc") int prog(void *ctx)
{
	table[behind & 0x7fffff]++;
	return secret++;
}

char _license[] SEC("license") = "GPL";
