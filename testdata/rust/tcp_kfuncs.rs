//! A congestion control that leaves every decision to kfuncs: undefined functions, for which
//! the object has no type information.
#![no_std]
#![no_main]
#![allow(non_camel_case_types, non_upper_case_globals)]

include!("include/bpf.rs");
include!("include/tcp.rs");

unsafe extern "C" {
    fn tcp_reno_ssthresh(sk: *mut sock) -> u32;
    fn tcp_reno_cong_avoid(sk: *mut sock, ack: u32, acked: u32);
    fn tcp_reno_undo_cwnd(sk: *mut sock) -> u32;
}

#[unsafe(no_mangle)]
static mut AVOIDED: u64 = 0; // in .bss, readable from Go

// A callback gets one pointer: to its arguments, each widened to 64 bits.
#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/ssthresh")]
unsafe extern "C" fn rust_ssthresh(args: *const u64) -> u32 {
    unsafe { tcp_reno_ssthresh(args.read() as *mut sock) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/undo_cwnd")]
unsafe extern "C" fn rust_undo_cwnd(args: *const u64) -> u32 {
    unsafe { tcp_reno_undo_cwnd(args.read() as *mut sock) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/cong_avoid")]
unsafe extern "C" fn rust_cong_avoid(args: *const u64) {
    unsafe {
        AVOIDED += 1;
        tcp_reno_cong_avoid(args.read() as *mut sock, args.add(1).read() as u32, args.add(2).read() as u32)
    }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = ".struct_ops.link")]
static rust_kfuncs: tcp_congestion_ops = tcp_congestion_ops {
    ssthresh: Some(rust_ssthresh),
    cong_avoid: Some(rust_cong_avoid),
    undo_cwnd: Some(rust_undo_cwnd),
    release: None,
    name: name(b"rust_kfuncs"),
};
