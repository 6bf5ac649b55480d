/* The name is missing: refused when the value is set. */
#include "tcp.h"

RENO

SEC(".struct_ops.link") struct tcp_congestion_ops one = {
	RENO_MEMBERS,
};
