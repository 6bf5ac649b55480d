/*
 * Every kind of member that a shadow can edit: integers of all sizes, enums,
 * arrays, a string, nested and anonymous structs and unions, and bitfields. No
 * kernel has this ops type.
 */
#include "bpf.h"

enum colour { RED, GREEN = 5, BLUE = 0xffffffff };
enum signed_colour { DARK = -3, LIGHT = 3 };
enum wide { SMALL = 1, LARGE = 0x100000000 };

struct point {
	s32 x;
	u16 y[3];
	u8 on : 1, level : 5;
	u8 _pad[5];
};

struct shadow_ops {
	u32 (*first)(u64 a, void *b);
	u32 (*same)(u64 c, void *d);
	void (*other)(u64 a);
	s8 i8;
	u8 u8;
	short i16;
	u16 u16;
	s32 i32;
	u32 u32;
	s64 i64;
	u64 u64;
	_Bool flag;
	char letter;
	char name[8];
	unsigned char raw[4];
	enum colour colour;
	enum signed_colour signed_colour;
	enum wide wide;
	struct point point;
	struct point points[2];
	u32 grid[2][3];
	union {
		u32 whole;
		struct {
			u16 low, high;
		};
	} split;
	union {
		u64 anonymous;
		u8 bytes[8];
	};
	void *data;
	struct point *target;
	u32 three : 3, : 2, signed_bits_above : 20;
	s32 negative : 5;
};

SEC("struct_ops") u32 first(u64 *ctx) { return 1; }
SEC("struct_ops") u32 second(u64 *ctx) { return 2; }
SEC("?struct_ops") u32 spare(u64 *ctx) { return 3; }
SEC("struct_ops") void nothing(u64 *ctx) {}
SEC("?struct_ops") void spare_nothing(u64 *ctx) {}
SEC("tc") int filter(void *ctx) { return 0; }

SEC(".struct_ops.link") struct shadow_ops values = {
	.first = (void *)first,
	.same = (void *)second,
	.other = (void *)nothing,
	.u32 = 7,
	.name = "shadow",
	.colour = GREEN,
	.point = { .x = -1, .y = { 1, 2, 3 }, .on = 1, .level = 9 },
	.split.whole = 0x00020001,
	.negative = -2,
	.three = 5,
};

char _license[] SEC("license") = "GPL";
