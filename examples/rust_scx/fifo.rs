//! A scheduler with one queue for all CPUs. Weak externs pick the names that the kernel's
//! functions have in Linux 6.12 or in later kernels, when the object is loaded.
#![no_std]
#![no_main]
#![feature(linkage)] // weak externs are not stable yet: build with RUSTC_BOOTSTRAP=1
#![allow(non_camel_case_types, non_upper_case_globals)]

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {} // never called, so never part of a program
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 4] = *b"GPL\0"; // kfuncs want a program that is compatible with the GPL

const QUEUE: u64 = 7; // our own queue; ids from 2^63 up are the kernel's
const SLICE_NS: u64 = 5_000_000;

type Insert = Option<unsafe extern "C" fn(task: u64, queue: u64, slice: u64, flags: u64)>;
type Take = Option<unsafe extern "C" fn(queue: u64) -> bool>;

unsafe extern "C" {
    fn scx_bpf_create_dsq(queue: u64, node: i32) -> i32; // strong: no load without it
    #[linkage = "extern_weak"]
    static scx_bpf_dsq_insert: Insert; // 6.13 and later
    #[linkage = "extern_weak"]
    static scx_bpf_dispatch: Insert; // 6.12
    #[linkage = "extern_weak"]
    static scx_bpf_dsq_move_to_local: Take; // 6.13 and later
    #[linkage = "extern_weak"]
    static scx_bpf_consume: Take; // 6.12
}

type Event = Option<unsafe extern "C" fn(*const u64)>;

// The members in use: they are matched by name, the kernel's others stay zero.
#[repr(C)]
pub struct sched_ext_ops {
    enqueue: Event,
    dispatch: Event,
    init: Option<unsafe extern "C" fn(*const u64) -> i32>,
    exit: Event,
    timeout_ms: u32,
    name: [u8; 128],
}

/// What Go reads. The counters are not atomic: a rough figure is enough.
#[repr(C)]
pub struct Stats {
    enqueued: u64,
    dispatched: u64,
    exit_kind: i32,
    exited: u32,
}

#[unsafe(no_mangle)]
static mut STATS: Stats = Stats { enqueued: 0, dispatched: 0, exit_kind: 0, exited: 0 };

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/enqueue")]
unsafe extern "C" fn fifo_enqueue(args: *const u64) {
    unsafe {
        STATS.enqueued += 1;
        let (task, flags) = (args.read(), args.add(1).read());
        if let Some(insert) = scx_bpf_dsq_insert {
            insert(task, QUEUE, SLICE_NS, flags)
        } else if let Some(insert) = scx_bpf_dispatch {
            insert(task, QUEUE, SLICE_NS, flags)
        }
    }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/dispatch")]
unsafe extern "C" fn fifo_dispatch(_args: *const u64) {
    unsafe {
        let taken = if let Some(take) = scx_bpf_dsq_move_to_local {
            take(QUEUE)
        } else if let Some(take) = scx_bpf_consume {
            take(QUEUE)
        } else {
            false
        };
        STATS.dispatched += taken as u64;
    }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops.s/init")] // .s: creating a queue may sleep
unsafe extern "C" fn fifo_init(_args: *const u64) -> i32 {
    unsafe { scx_bpf_create_dsq(QUEUE, -1) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/exit")]
unsafe extern "C" fn fifo_exit(args: *const u64) {
    unsafe {
        STATS.exit_kind = (args.read() as *const i32).read();
        STATS.exited = 1;
    }
}

const fn padded(text: &[u8]) -> [u8; 128] {
    let (mut out, mut i) = ([0; 128], 0);
    while i < text.len() {
        out[i] = text[i];
        i += 1;
    }
    out
}

#[unsafe(no_mangle)] // or the name of the map would be mangled
#[unsafe(link_section = ".struct_ops.link")]
static fifo: sched_ext_ops = sched_ext_ops {
    enqueue: Some(fifo_enqueue),
    dispatch: Some(fifo_dispatch),
    init: Some(fifo_init),
    exit: Some(fifo_exit),
    timeout_ms: 5000,
    name: padded(b"ebpfx_rust_fifo"),
};
