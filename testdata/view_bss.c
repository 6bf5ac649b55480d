/* Named sections without contents: with a variable for user space, without. */
#include "bpf.h"

int counter SEC(".bss.mine");
static int quiet SEC(".bss.private");

SEC("tc") int prog(void *ctx) { return counter++ + quiet++; }

char _license[] SEC("license") = "GPL";
