/* Hidden functions in .text and elsewhere, and hidden variables. */
#include "bpf.h"

__noinline int visible(int x) { return x + 1; }
__hidden __noinline int hidden(int *p) { return *p + 1; }
__attribute__((visibility("internal"))) __noinline int internal(int *p) { return *p + 2; }

int shown;
__hidden int secret;

SEC("tc") int prog(void *ctx)
{
	int x = bpf_get_prandom_u32();

	shown = visible(x);
	secret = hidden(&x) + internal(&x);
	return 0;
}

SEC("tc") __hidden int hidden_prog(void *ctx) { return secret; }

char _license[] SEC("license") = "GPL";
