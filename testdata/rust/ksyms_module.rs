//! A kfunc of a module, called and compared with NULL, and a flavor of it.
#![no_std]
#![no_main]
#![feature(linkage)]
#![allow(non_upper_case_globals)]

include!("include/bpf.rs");

unsafe extern "C" {
    fn bpf_testmod_test_mod_kfunc(value: i32);
    #[linkage = "extern_weak"]
    static bpf_testmod_test_mod_kfunc___weak: Option<unsafe extern "C" fn(value: i32)>;
}

#[unsafe(no_mangle)]
static mut CALLED: u64 = 0;

#[unsafe(no_mangle)]
#[unsafe(link_section = "tc")]
unsafe extern "C" fn module(_context: *const u64) -> i32 {
    unsafe {
        bpf_testmod_test_mod_kfunc(1);
        if let Some(kfunc) = bpf_testmod_test_mod_kfunc___weak {
            kfunc(2);
            CALLED += 1;
        }
    }
    0
}
