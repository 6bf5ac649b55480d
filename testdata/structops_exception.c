/* An exception callback, which no instruction refers to: only a declaration tag names it. */
#include "bpf.h"

extern void bpf_throw(u64 cookie) __ksym;

__attribute__((noinline)) u64 add_one(u64 cookie)
{
	return cookie + 1;
}

__attribute__((noinline)) int on_throw(u64 cookie)
{
	return add_one(cookie);
}

SEC("tc") __attribute__((btf_decl_tag("exception_callback:on_throw"))) int entry(void *ctx)
{
	bpf_throw(3);
	return 0;
}

char _license[] SEC("license") = "GPL";
