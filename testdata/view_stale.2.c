/* See view_stale.1.c. */
#include "bpf.h"

const volatile int pad = 3;
const volatile _Bool flag = 1;
volatile int twin = 2;

SEC("syscall") int second(void *ctx) { return flag + pad + twin++; }
