/* A module of core_kernel.c; types of equal name and kind are the kernel's. */
typedef unsigned int u32;
typedef int pid_t;

struct task;
struct device { u32 id; struct task *owner; };
struct ops { int (*probe)(struct device *device, u32 flags); u32 flags; };
struct bpf_struct_ops_ops { u32 state; struct ops data; };

int probe(struct device *device, pid_t pid) { return device->id; }
int shared(u32 x) { return x + 1; }
struct bpf_struct_ops_ops value_type;
