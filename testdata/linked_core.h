/*
 * Reading fields of the kernel's structs, whose order here is another one than
 * in any kernel. Task structs are passed by address, as functions that
 * are verified on their own take no such pointers.
 */
#pragma once

#include "bpf.h"

static u64 (*const bpf_get_current_task)(void) = (void *)35;
static long (*const bpf_probe_read_kernel)(void *dst, u32 size, const void *src) = (void *)113;

struct signal_struct {
	u32 has_child_subreaper : 1;
	u32 : 5;
	u32 is_child_subreaper : 1;
} __core;

struct task_struct {
	char comm[16];
	struct signal_struct *signal;
	struct task_struct *group_leader;
	void *mm;
	int tgid;
	int pid;
} __core;

#define TASK(address) ((struct task_struct *)(address))

/* Reads a field. */
#define read(field)                                                           \
	({                                                                    \
		typeof(field) value;                                          \
		bpf_probe_read_kernel(&value, sizeof(value), &(field));       \
		value;                                                        \
	})

/* What CO-RE tells about a field. */
#define FIELD_BYTE_OFFSET 0
#define FIELD_BYTE_SIZE 1
#define FIELD_LSHIFT_U64 4
#define FIELD_RSHIFT_U64 5

/* Reads an unsigned bitfield on a little-endian machine. */
#define read_bits(s, field)                                                                    \
	({                                                                                     \
		u64 value = 0;                                                                 \
		bpf_probe_read_kernel(&value, __builtin_preserve_field_info((s)->field, FIELD_BYTE_SIZE), \
				      (void *)(s) + __builtin_preserve_field_info((s)->field, FIELD_BYTE_OFFSET)); \
		value <<= __builtin_preserve_field_info((s)->field, FIELD_LSHIFT_U64);         \
		value >> __builtin_preserve_field_info((s)->field, FIELD_RSHIFT_U64);          \
	})

int pid_of(u64 task);
int tgid_of(u64 task);
int leader_of(u64 task);
int subreaper_of(u64 task);
int has_mm(u64 task);
