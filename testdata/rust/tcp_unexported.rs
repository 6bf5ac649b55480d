//! Neither the programs nor the ops map are exported: relocations name sections instead of
//! functions, and the map carries a mangled name.
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
static mut AVOIDED: u64 = 0;

#[unsafe(link_section = "struct_ops")]
unsafe extern "C" fn ssthresh(args: *const u64) -> u32 {
    unsafe { tcp_reno_ssthresh(args.read() as *mut sock) }
}

#[unsafe(link_section = "struct_ops")]
unsafe extern "C" fn undo_cwnd(args: *const u64) -> u32 {
    unsafe { tcp_reno_undo_cwnd(args.read() as *mut sock) }
}

#[unsafe(link_section = "struct_ops")]
unsafe extern "C" fn cong_avoid(args: *const u64) {
    unsafe {
        AVOIDED += 1;
        tcp_reno_cong_avoid(args.read() as *mut sock, args.add(1).read() as u32, args.add(2).read() as u32)
    }
}

#[used]
#[unsafe(link_section = ".struct_ops.link")]
static rust_unexported: tcp_congestion_ops = tcp_congestion_ops {
    ssthresh: Some(ssthresh),
    cong_avoid: Some(cong_avoid),
    undo_cwnd: Some(undo_cwnd),
    release: None,
    name: name(b"rust_unexported"),
};
