/* The kernel that core_local.c is relocated against: its BTF is all that counts. */
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int pid_t;

struct cred { u32 uid; u32 gid; };
struct mm { u64 start; u64 end; };
struct files;                                  /* known by name only */

struct task {
	u64 padding;
	pid_t pid;
	struct { u32 prio; u32 policy; };          /* anonymous member */
	struct cred cred;                          /* by value */
	const struct mm *mm;                       /* behind a pointer */
	struct files *files;
	struct task *parent;
	char comm[16];
	u32 nice:5, class:3;
	int (*wake)(struct task *task, u32 flags);
};

enum state { STATE_IDLE = 10, STATE_RUNNING = 20 };
enum large { LARGE = 0x100000002ull };
union value { u32 word; u64 quad; };
typedef struct { int counter; } atomic;

struct flavored___old { u32 a; };
struct flavored___new { u32 pad; u32 a; };

int ___tail(struct task *task) { return task->pid; }
int wake_up(struct task *task, enum state state) { return task->nice + state; }
int wake_up___two(struct task *task) { return 0; }
int shared(u32 x) { return x; }
struct task init_task;
struct mm init_mm;
enum large large;
union value value;
atomic counter;
struct flavored___old old;
struct flavored___new new;
