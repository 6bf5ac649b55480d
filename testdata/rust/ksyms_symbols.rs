//! Extern statics: one that kallsyms has, one that nothing has and may be absent.
#![no_std]
#![no_main]
#![feature(linkage)]
#![allow(non_upper_case_globals)]

include!("include/bpf.rs");

unsafe extern "C" {
    static _stext: u8;
    #[linkage = "extern_weak"]
    static no_such_symbol: Option<&'static u8>;
}

#[unsafe(no_mangle)]
static mut STEXT: u64 = 1;
#[unsafe(no_mangle)]
static mut ABSENT: u64 = 1;

#[unsafe(no_mangle)]
#[unsafe(link_section = "socket")]
unsafe extern "C" fn symbols(_context: *const u64) -> i32 {
    unsafe {
        STEXT = &raw const _stext as u64;
        ABSENT = match no_such_symbol {
            Some(address) => address as *const u8 as u64,
            None => 0,
        };
    }
    0
}
