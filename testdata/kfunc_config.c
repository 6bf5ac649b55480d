/* Values of every type in .kconfig. prog writes what it reads to the variables. */
#include "bpf.h"

enum libbpf_tristate { TRI_NO, TRI_YES, TRI_MODULE };

extern u32 LINUX_KERNEL_VERSION __kconfig;
extern _Bool LINUX_HAS_BPF_COOKIE __kconfig;
extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;
extern int LINUX_UNKNOWN_VIRTUAL_EXTERN __kconfig __weak;
extern _Bool CONFIG_BPF_SYSCALL __kconfig;
extern enum libbpf_tristate CONFIG_NET __kconfig;
extern char CONFIG_BPF __kconfig;
extern u64 CONFIG_HZ __kconfig;
extern short CONFIG_MISSING __kconfig __weak;
extern char CONFIG_DEFAULT_HOSTNAME[5] __kconfig;

u32 version;
_Bool cookie, wrapper, syscall;
enum libbpf_tristate net;
char bpf, hostname[5];
u64 hz;
int missing, virtual;

SEC("tc") int prog(void *ctx)
{
	version = LINUX_KERNEL_VERSION;
	cookie = LINUX_HAS_BPF_COOKIE;
	wrapper = LINUX_HAS_SYSCALL_WRAPPER;
	virtual = LINUX_UNKNOWN_VIRTUAL_EXTERN;
	syscall = CONFIG_BPF_SYSCALL;
	net = CONFIG_NET;
	bpf = CONFIG_BPF;
	hz = CONFIG_HZ;
	missing = CONFIG_MISSING;
	__builtin_memcpy(hostname, CONFIG_DEFAULT_HOSTNAME, sizeof(hostname));
	return 0;
}

char _license[] SEC("license") = "GPL";
