/* An extern in an object that has no INT of 32 bits. */
#include "bpf.h"

extern const void no_such_symbol __ksym __weak;

SEC("tc") long prog(void *ctx) { return !!&no_such_symbol; }
