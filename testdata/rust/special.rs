//! The structs to which the kernel gives a meaning, by the names that Rust gives them, and a
//! kptr by the name of its member.
#![no_std]
#![no_main]
#![allow(non_camel_case_types, non_snake_case, dead_code)]

include!("include/bpf.rs");

use core::cell::UnsafeCell;

#[repr(C, align(4))]
pub struct BpfSpinLock {
    val: u32,
}

#[repr(C, align(8))]
pub struct BpfTimer {
    opaque: [u64; 2],
}

/// Not the kernel's: the size differs.
#[repr(C)]
pub struct BpfRefcount {
    count: u64,
}

#[repr(C)]
pub struct task_struct(u8);

#[repr(C)]
pub struct Locked {
    lock: BpfSpinLock,
    count: u32,
}

#[repr(C)]
pub struct Timed {
    timer: BpfTimer,
    references: BpfRefcount,
}

#[repr(C)]
pub struct Held {
    task__kptr: *mut task_struct,
}

#[repr(C)]
pub struct ArrayDef<V> {
    r#type: *const [i32; 2],
    key: *const u32,
    value: *const V,
    max_entries: *const [i32; 1],
}

#[repr(transparent)]
pub struct Map<T>(UnsafeCell<T>);
unsafe impl<T> Sync for Map<T> {}

const fn array<V>() -> Map<ArrayDef<V>> {
    Map(UnsafeCell::new(ArrayDef { r#type: core::ptr::null(), key: core::ptr::null(), value: core::ptr::null(), max_entries: core::ptr::null() }))
}

#[unsafe(no_mangle)]
#[unsafe(link_section = ".maps")]
static LOCKS: Map<ArrayDef<Locked>> = array();
#[unsafe(no_mangle)]
#[unsafe(link_section = ".maps")]
static TIMERS: Map<ArrayDef<Timed>> = array();
#[unsafe(no_mangle)]
#[unsafe(link_section = ".maps")]
static TASKS: Map<ArrayDef<Held>> = array();

#[unsafe(no_mangle)]
static mut EXCHANGED: u64 = 0;

unsafe extern "C" {
    fn bpf_task_acquire(task: *mut task_struct) -> *mut task_struct;
    fn bpf_task_release(task: *mut task_struct);
}

#[inline(always)]
fn lookup<V>(map: &Map<ArrayDef<V>>) -> *mut V {
    let helper: extern "C" fn(&Map<ArrayDef<V>>, *const u32) -> *mut V = unsafe { core::mem::transmute(1usize) };
    helper(map, &0)
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "tc")]
unsafe extern "C" fn locked(_context: *const u64) -> i32 {
    let lock: extern "C" fn(*mut BpfSpinLock) = unsafe { core::mem::transmute(93usize) };
    let unlock: extern "C" fn(*mut BpfSpinLock) = unsafe { core::mem::transmute(94usize) };
    unsafe {
        if let Some(value) = lookup(&LOCKS).as_mut() {
            lock(&mut value.lock);
            value.count += 1;
            unlock(&mut value.lock);
        }
    }
    0
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "tc")]
unsafe extern "C" fn timed(_context: *const u64) -> i32 {
    let cancel: extern "C" fn(*mut BpfTimer) -> i64 = unsafe { core::mem::transmute(172usize) };
    unsafe {
        if let Some(value) = lookup(&TIMERS).as_mut() {
            cancel(&mut value.timer);
        }
    }
    0
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "syscall")]
unsafe extern "C" fn held(_context: *const u64) -> i32 {
    let current: extern "C" fn() -> *mut task_struct = unsafe { core::mem::transmute(158usize) };
    let exchange: extern "C" fn(*mut *mut task_struct, *mut task_struct) -> *mut task_struct = unsafe { core::mem::transmute(194usize) };
    unsafe {
        if let Some(value) = lookup(&TASKS).as_mut() {
            let task = bpf_task_acquire(current());
            if task.is_null() {
                return 1;
            }
            let old = exchange(&raw mut value.task__kptr, task);
            if !old.is_null() {
                bpf_task_release(old);
                EXCHANGED += 1;
            }
        }
    }
    0
}
