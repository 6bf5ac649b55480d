/* A callback inside a nested struct: only top-level members can hold one. */
#define TCP_MEMBERS struct { u64 next; void (*prev)(struct sock *sk); } list;
#include "tcp.h"

RENO
SEC("struct_ops") void inner(u64 *ctx) {}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.list.prev = (void *)inner,
	.name = "ebpfx_nested_cb",
};
