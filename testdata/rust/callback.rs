//! The address of a callback that is not the first function of its section: HITS is 1000.
#![no_std]
#![no_main]

include!("include/bpf.rs");

#[unsafe(no_mangle)]
static mut HITS: u64 = 0;

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn add_1(_index: u64, _context: *mut u8) -> i64 {
    unsafe { HITS += 1 };
    0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn add_100(_index: u64, _context: *mut u8) -> i64 {
    unsafe { HITS += 100 };
    0
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "socket")]
unsafe extern "C" fn callback(_context: *const u64) -> i32 {
    let bpf_loop: extern "C" fn(u32, extern "C" fn(u64, *mut u8) -> i64, *mut u8, u64) -> i64 = unsafe { core::mem::transmute(181usize) };
    bpf_loop(10, add_100, core::ptr::null_mut(), 0) as i32
}
