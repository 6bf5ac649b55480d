//! A scheduler with one queue for all CPUs. Weak externs pick the kfuncs of Linux 6.12 or of
//! later kernels when the object is loaded.
#![no_std]
#![no_main]
#![feature(linkage)]
#![allow(non_camel_case_types, non_upper_case_globals)]

include!("include/bpf.rs");

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

#[repr(C)]
pub struct sched_ext_ops {
    enqueue: Event,
    dispatch: Event,
    init: Option<unsafe extern "C" fn(*const u64) -> i32>,
    exit: Event,
    timeout_ms: u32,
    name: [u8; 128],
}

#[unsafe(no_mangle)]
static mut QUEUED: u64 = 0;
#[unsafe(no_mangle)]
static mut EXIT_KIND: i32 = 0;

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/enqueue")]
unsafe extern "C" fn fifo_enqueue(args: *const u64) {
    unsafe {
        QUEUED += 1; // not atomic: a rough figure is enough
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
        if let Some(take) = scx_bpf_dsq_move_to_local {
            take(QUEUE);
        } else if let Some(take) = scx_bpf_consume {
            take(QUEUE);
        }
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
    unsafe { EXIT_KIND = (args.read() as *const i32).read() }
}

const fn padded(text: &[u8]) -> [u8; 128] {
    let (mut out, mut i) = ([0; 128], 0);
    while i < text.len() {
        out[i] = text[i];
        i += 1;
    }
    out
}

#[unsafe(no_mangle)]
#[unsafe(link_section = ".struct_ops.link")]
static rust_fifo: sched_ext_ops = sched_ext_ops {
    enqueue: Some(fifo_enqueue),
    dispatch: Some(fifo_dispatch),
    init: Some(fifo_init),
    exit: Some(fifo_exit),
    timeout_ms: 5000,
    name: padded(b"rust_fifo"),
};
