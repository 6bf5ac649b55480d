/* A program that replaces a function of another one. */
#include "bpf.h"

SEC("freplace/answer") int replacement(int x)
{
	return x + 1;
}

char _license[] SEC("license") = "GPL";
