/*
 * The weak flag of this file loses against the strong one of the other. Static
 * and global variables share a name.
 */
#include "bpf.h"

const volatile _Bool flag __weak;
static volatile int twin = 1;

SEC("syscall") int first(void *ctx) { return flag + twin++; }

char _license[] SEC("license") = "GPL";
