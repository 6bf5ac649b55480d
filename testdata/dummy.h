/* The ops type that the kernel keeps for tests: it can be loaded, not registered. */
#pragma once

#include "bpf.h"

struct bpf_dummy_ops {
	int (*test_1)(void *state);
	int (*test_sleepable)(void *state);
};

char _license[] SEC("license") = "GPL";
