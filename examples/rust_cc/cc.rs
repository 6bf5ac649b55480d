//! Reno with counters: every decision is left to the kernel's own functions.
#![no_std]
#![no_main]
#![allow(non_camel_case_types, non_upper_case_globals)]

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {} // never called, so never part of a program
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 4] = *b"GPL\0"; // kfuncs want a program that is compatible with the GPL

#[repr(C)]
pub struct sock(u8); // opaque: the verifier takes the types of arguments from the kernel

// kfuncs: undefined symbols, of which the loader looks the type up in the kernel.
unsafe extern "C" {
    fn tcp_reno_ssthresh(sk: *mut sock) -> u32;
    fn tcp_reno_cong_avoid(sk: *mut sock, ack: u32, acked: u32);
    fn tcp_reno_undo_cwnd(sk: *mut sock) -> u32;
}

// The members in use: they are matched by name, the kernel's others stay zero.
#[repr(C)]
pub struct tcp_congestion_ops {
    init: Option<unsafe extern "C" fn(*const u64)>,
    release: Option<unsafe extern "C" fn(*const u64)>,
    ssthresh: Option<unsafe extern "C" fn(*const u64) -> u32>,
    cong_avoid: Option<unsafe extern "C" fn(*const u64)>,
    undo_cwnd: Option<unsafe extern "C" fn(*const u64) -> u32>,
    name: [u8; 16],
}

/// How often the kernel called each callback. Go reads it.
#[repr(C)]
pub struct Calls {
    init: u64,
    release: u64,
    ssthresh: u64,
    cong_avoid: u64,
    undo_cwnd: u64,
}

#[unsafe(no_mangle)]
static mut CALLS: Calls = Calls { init: 0, release: 0, ssthresh: 0, cong_avoid: 0, undo_cwnd: 0 };

// A callback gets one pointer: to its arguments, each widened to 64 bits.
#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/init")]
unsafe extern "C" fn cc_init(_args: *const u64) {
    unsafe { CALLS.init += 1 }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/release")]
unsafe extern "C" fn cc_release(_args: *const u64) {
    unsafe { CALLS.release += 1 }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/ssthresh")]
unsafe extern "C" fn cc_ssthresh(args: *const u64) -> u32 {
    unsafe {
        CALLS.ssthresh += 1;
        tcp_reno_ssthresh(args.read() as *mut sock)
    }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/cong_avoid")]
unsafe extern "C" fn cc_cong_avoid(args: *const u64) {
    unsafe {
        CALLS.cong_avoid += 1;
        tcp_reno_cong_avoid(args.read() as *mut sock, args.add(1).read() as u32, args.add(2).read() as u32)
    }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/undo_cwnd")]
unsafe extern "C" fn cc_undo_cwnd(args: *const u64) -> u32 {
    unsafe {
        CALLS.undo_cwnd += 1;
        tcp_reno_undo_cwnd(args.read() as *mut sock)
    }
}

#[unsafe(no_mangle)] // or the name of the map would be mangled
#[unsafe(link_section = ".struct_ops.link")]
static rust_cc: tcp_congestion_ops = tcp_congestion_ops {
    init: Some(cc_init),
    release: Some(cc_release),
    ssthresh: Some(cc_ssthresh),
    cong_avoid: Some(cc_cong_avoid),
    undo_cwnd: Some(cc_undo_cwnd),
    name: *b"ebpfx_rust_cc\0\0\0",
};
