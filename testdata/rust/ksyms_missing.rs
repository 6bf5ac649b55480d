//! Strong externs that no kernel has: a static, which cilium/ebpf loads as 0, and a function.
#![no_std]
#![no_main]
#![allow(non_upper_case_globals)]

include!("include/bpf.rs");

unsafe extern "C" {
    static no_such_symbol: u8;
    static no_such_symbol_either: u8;
}

#[unsafe(no_mangle)]
static mut SEEN: u64 = 1;

#[unsafe(no_mangle)]
#[unsafe(link_section = "socket")]
unsafe extern "C" fn missing(_context: *const u64) -> i32 {
    unsafe { SEEN = &raw const no_such_symbol as u64 + &raw const no_such_symbol_either as u64 }
    0
}
