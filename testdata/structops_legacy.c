/* Section .struct_ops: a map without a link, registered by its value. */
#include "tcp.h"

RENO

SEC(".struct_ops") struct tcp_congestion_ops legacy = {
	RENO_MEMBERS,
	.name = "ebpfx_legacy",
};
