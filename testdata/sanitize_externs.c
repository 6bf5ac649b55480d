/* Externs with unnamed parameters and no type, a kconfig value of each size, hidden functions and variables. */
#include "bpf.h"

#pragma clang diagnostic ignored "-Wc2x-extensions"

extern int unnamed(int, void *second) __ksym __weak;
extern int variadic(const char *, ...) __ksym __weak;
extern const void typeless __ksym __weak;
extern const u64 typed __ksym __weak;
extern _Bool CONFIG_BOOL __kconfig __weak;
extern char CONFIG_TEXT[5] __kconfig __weak;
extern u64 CONFIG_LONG __kconfig __weak;
extern short CONFIG_SHORT __kconfig __weak;
extern int CONFIG_INT __kconfig __weak;

static volatile long hidden_static = 1;
__hidden u64 hidden = 2;
u32 shown = 3;

__hidden __noinline int ignores(int, int second) { return second; }

SEC("tc") int prog(void *ctx)
{
	if (bpf_ksym_exists(unnamed))
		unnamed(1, ctx);
	if (bpf_ksym_exists(variadic))
		variadic("");
	hidden = CONFIG_LONG + CONFIG_INT + CONFIG_SHORT + CONFIG_TEXT[0];
	hidden_static = CONFIG_BOOL;
	shown = !!&typeless + !!&typed;
	return ignores(1, bpf_get_prandom_u32());
}

char _license[] SEC("license") = "GPL";
