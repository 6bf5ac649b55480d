/*
 * What cc.c needs of the kernel: types, two helpers and a few fields. The
 * structs name only the members that are used; CO-RE finds their offsets in the
 * kernel that runs.
 */
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define __core __attribute__((preserve_access_index))

#define SOL_SOCKET 1
#define SO_MAX_PACING_RATE 47

static long (*const bpf_setsockopt)(void *sk, int level, int name, void *value, int size) = (void *)49;
static u64 (*const bpf_jiffies64)(void) = (void *)118;

struct tcp_sock {
	u32 mss_cache;
	u32 prior_cwnd;
	u32 snd_cwnd;
	u32 snd_cwnd_clamp;
	u32 snd_cwnd_cnt;
	u32 snd_cwnd_stamp;
	u32 snd_ssthresh;
} __core;

struct sock;
struct ack_sample;

struct tcp_congestion_ops {
	void (*init)(struct sock *sk);
	void (*release)(struct sock *sk);
	u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, u32 ack, u32 acked);
	u32 (*undo_cwnd)(struct sock *sk);
	void (*set_state)(struct sock *sk, u8 state);
	void (*cwnd_event)(struct sock *sk, u32 event);
	void (*pkts_acked)(struct sock *sk, const struct ack_sample *sample);
	char name[16];
};
