//! A function of the C library, which the kernel happens to have as well, though not for BPF.
#![no_std]
#![no_main]

include!("include/bpf.rs");

unsafe extern "C" {
    fn strlen(text: *const u8) -> usize;
}

#[unsafe(no_mangle)]
static mut TEXT: [u8; 8] = *b"text\0\0\0\0";

#[unsafe(no_mangle)]
#[unsafe(link_section = "socket")]
unsafe extern "C" fn length(_context: *const u64) -> i32 {
    unsafe { strlen((&raw const TEXT).cast()) as i32 }
}
