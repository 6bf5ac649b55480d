/*
 * Two link maps of one ops type. They share the required callbacks, differ in
 * init, and only the first has a release: with callbacks joined by the name of
 * the member instead of by map, either gets what is the other's.
 */
#include "tcp.h"

RENO
SEC("struct_ops") void init_first(u64 *ctx) {}
SEC("struct_ops") void init_second(u64 *ctx) {}
SEC("struct_ops") void release_first(u64 *ctx) {}

SEC(".struct_ops.link") struct tcp_congestion_ops first = {
	RENO_MEMBERS,
	.init = (void *)init_first,
	.release = (void *)release_first,
	.name = "ebpfx_first",
};

SEC(".struct_ops.link") struct tcp_congestion_ops second = {
	RENO_MEMBERS,
	.init = (void *)init_second,
	.name = "ebpfx_second",
};
