/* A weak value that the configuration does not have. */
#include "bpf.h"

extern int CONFIG_DOES_NOT_EXIST __kconfig __weak;

SEC("tc") int prog(void *ctx) { return CONFIG_DOES_NOT_EXIST + 1; }

char _license[] SEC("license") = "GPL";
