//! An extern static of which kernel BTF knows the type: a variable of each CPU.
#![no_std]
#![no_main]
#![allow(non_upper_case_globals)]

include!("include/bpf.rs");

unsafe extern "C" {
    static bpf_prog_active: i32;
}

#[unsafe(no_mangle)]
static mut ACTIVE: i64 = -1;

#[inline(always)]
fn bpf_this_cpu_ptr(variable: *const i32) -> *const i32 {
    let helper: extern "C" fn(*const i32) -> *const i32 = unsafe { core::mem::transmute(154usize) };
    helper(variable)
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp/sys_enter")]
unsafe extern "C" fn variable(_context: *const u64) -> i32 {
    unsafe { ACTIVE = *bpf_this_cpu_ptr(&raw const bpf_prog_active) as i64 }
    0
}
