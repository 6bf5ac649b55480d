//! A bounds check: if it fails, core is to panic, and core is not linked in.
#![no_std]
#![no_main]

include!("include/bpf.rs");

#[unsafe(no_mangle)]
static mut TABLE: [u32; 4] = [1, 2, 3, 4];

#[unsafe(no_mangle)]
#[unsafe(link_section = "socket")]
unsafe extern "C" fn bounds(context: *const u32) -> u32 {
    unsafe {
        let table = TABLE;
        table[context.read() as usize]
    }
}
