/* A map that is pinned by its name. */
#include "tcp.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(pinning, 1); /* LIBBPF_PIN_BY_NAME */
	__type(key, u32);
	__type(value, u64);
} total SEC(".maps");

RENO_SSTHRESH
RENO_CONG_AVOID
RENO_UNDO_CWND

SEC("struct_ops") void init(u64 *ctx)
{
	u32 zero = 0;
	u64 *value = bpf_map_lookup_elem(&total, &zero);

	if (value)
		*value += 1;
}

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.init = (void *)init,
	.name = "ebpfx_pinned",
};
