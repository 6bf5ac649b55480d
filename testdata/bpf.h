/*
 * The few names that the golden sources share, so that they build without
 * kernel or libbpf headers. Ground rules: one case per file, a comment on top
 * that says which, nothing in a file that the case does not need.
 */
#pragma once

typedef signed char s8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef int s32;
typedef unsigned int u32;
typedef long long s64;
typedef unsigned long long u64;

/* Placement and binding. */
#define SEC(name) __attribute__((section(name), used))
#define __ksym __attribute__((section(".ksyms")))
#define __kconfig __attribute__((section(".kconfig")))
#define __weak __attribute__((weak))
#define __hidden __attribute__((visibility("hidden")))
#define __noinline __attribute__((noinline))
#define __arena __attribute__((address_space(1)))

/* Members of a map definition in SEC(".maps"). */
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *name[]

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_HASH_OF_MAPS = 13,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_ARENA = 33,
};

/* Helpers, by their number in the kernel. */
static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static u32 (*const bpf_get_prandom_u32)(void) = (void *)7;
static long (*const bpf_tail_call)(void *ctx, void *prog_array, u32 index) = (void *)12;
static long (*const bpf_loop)(u32 nr_loops, void *callback, void *callback_ctx, u64 flags) = (void *)181;

/* CO-RE: fields of a struct marked so are read at the kernel's offset. */
#define __core __attribute__((preserve_access_index))

/* True if the kernel has a type of this name, flavor stripped. */
#define bpf_core_type_exists(type) __builtin_preserve_type_info(*(typeof(type) *)0, 0)

/* True if the kernel has the struct member. */
#define bpf_core_field_exists(field) __builtin_preserve_field_info(field, 2)

/* True if the kernel has the weak __ksym. */
#define bpf_ksym_exists(sym) (!!(sym))
