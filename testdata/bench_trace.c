/* When processes enter and leave bpf(2), on x86-64. See integration/bench. */
#include "bpf.h"

static u64 (*const bpf_get_current_pid_tgid)(void) = (void *)14;
static long (*const bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static long (*const bpf_probe_read_user)(void *dst, u32 size, const void *src) = (void *)112;
static long (*const bpf_probe_read_kernel)(void *dst, u32 size, const void *src) = (void *)113;
static long (*const bpf_ringbuf_output)(void *ringbuf, void *data, u64 size, u64 flags) = (void *)130;

#define NR_BPF 321
#define PROG_LOAD 5
#define PROG_BTF_FD 72 /* offset in union bpf_attr */

struct pt_regs {
	u64 si, di;
} __core;

struct call {
	u64 enter, leave; /* ns */
	u32 tgid, cmd;
	u32 btf; /* prog_btf_fd of BPF_PROG_LOAD */
	s32 ret;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct call);
} inside SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} calls SEC(".maps");

SEC("raw_tp/sys_enter") int enter(u64 *ctx)
{
	struct pt_regs *regs = (void *)ctx[0];
	u64 id = bpf_get_current_pid_tgid(), attr = 0;
	struct call call = { .tgid = id >> 32 };
	u32 tid = id;

	if (ctx[1] != NR_BPF)
		return 0;
	bpf_probe_read_kernel(&call.cmd, sizeof(call.cmd), &regs->di);
	if (call.cmd == PROG_LOAD) {
		bpf_probe_read_kernel(&attr, sizeof(attr), &regs->si);
		bpf_probe_read_user(&call.btf, sizeof(call.btf), (void *)attr + PROG_BTF_FD);
	}
	call.enter = bpf_ktime_get_ns();
	bpf_map_update_elem(&inside, &tid, &call, 0);
	return 0;
}

SEC("raw_tp/sys_exit") int leave(u64 *ctx)
{
	u64 now = bpf_ktime_get_ns();
	u32 tid = bpf_get_current_pid_tgid();
	struct call *call = bpf_map_lookup_elem(&inside, &tid);

	if (!call)
		return 0;
	call->leave = now;
	call->ret = ctx[1];
	bpf_ringbuf_output(&calls, call, sizeof(*call), 0);
	bpf_map_delete_elem(&inside, &tid);
	return 0;
}

char _license[] SEC("license") = "GPL";
