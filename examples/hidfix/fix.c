//go:build ignore

/*
 * A fix-up for a mouse with a wheel that nobody can use: its report descriptor
 * calls the wheel a constant, and its reports have the sign the wrong way
 * round. The kernel shows the first program the descriptor when the ops are
 * attached, and the second one every report.
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define __ksym __attribute__((section(".ksyms")))

/* A definition, because the prototype of the kfunc is compared, where a forward declaration is no struct. */
struct hid_bpf_ctx {
	int size;
};

/* The members of the kernel's ops type that are used. */
struct hid_bpf_ops {
	int hid_id; /* the device, set before the object is loaded */
	u32 flags;
	int (*hid_device_event)(struct hid_bpf_ctx *ctx, u32 type, u64 source);
	int (*hid_rdesc_fixup)(struct hid_bpf_ctx *ctx);
};

extern u8 *hid_bpf_get_data(struct hid_bpf_ctx *ctx, u32 offset, const unsigned long size__sz) __ksym;

/* Where the input item of the wheel is in the descriptor, and the wheel in a report. */
#define WHEEL_ITEM 50
#define WHEEL 3

#define INPUT 0x81
#define CONSTANT 0x01

SEC("struct_ops") int fix_descriptor(u64 *ctx)
{
	u8 *data = hid_bpf_get_data((struct hid_bpf_ctx *)ctx[0], 0, 64);

	if (data && data[WHEEL_ITEM] == INPUT)
		data[WHEEL_ITEM + 1] &= ~CONSTANT;
	return 0;
}

SEC("struct_ops") int fix_report(u64 *ctx)
{
	u8 *data = hid_bpf_get_data((struct hid_bpf_ctx *)ctx[0], 0, 4);

	if (data)
		data[WHEEL] = -data[WHEEL];
	return 0;
}

SEC(".struct_ops.link") struct hid_bpf_ops wheel = {
	.hid_rdesc_fixup = (void *)fix_descriptor,
	.hid_device_event = (void *)fix_report,
};

char _license[] SEC("license") = "GPL";
