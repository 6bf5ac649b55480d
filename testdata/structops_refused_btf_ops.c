/* BTF that no kernel takes, in an object that needs it. */
#include "tcp.h"

enum declared;
enum declared *use;

RENO

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
	.name = "ebpfx_refused",
};
