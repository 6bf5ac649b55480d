//! Several ops maps of one type: two in .struct_ops.link, one in each other section, the
//! optional ones wired to programs of their own. Some programs serve two maps.
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
static mut FIRST: u64 = 0;
#[unsafe(no_mangle)]
static mut SECOND: u64 = 0;

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops")]
unsafe extern "C" fn both_ssthresh(args: *const u64) -> u32 {
    unsafe { tcp_reno_ssthresh(args.read() as *mut sock) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops")]
unsafe extern "C" fn both_undo_cwnd(args: *const u64) -> u32 {
    unsafe { tcp_reno_undo_cwnd(args.read() as *mut sock) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops")]
unsafe extern "C" fn first_cong_avoid(args: *const u64) {
    unsafe {
        FIRST += 1;
        tcp_reno_cong_avoid(args.read() as *mut sock, args.add(1).read() as u32, args.add(2).read() as u32)
    }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops")]
unsafe extern "C" fn second_cong_avoid(args: *const u64) {
    unsafe {
        SECOND += 1;
        tcp_reno_cong_avoid(args.read() as *mut sock, args.add(1).read() as u32, args.add(2).read() as u32)
    }
}

const fn ops(text: &[u8], cong_avoid: Event) -> tcp_congestion_ops {
    tcp_congestion_ops { ssthresh: Some(both_ssthresh), cong_avoid, undo_cwnd: Some(both_undo_cwnd), release: None, name: name(text) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = ".struct_ops.link")]
static rust_first: tcp_congestion_ops = ops(b"rust_first", Some(first_cong_avoid));

#[unsafe(no_mangle)]
#[unsafe(link_section = ".struct_ops.link")]
static rust_second: tcp_congestion_ops = ops(b"rust_second", Some(second_cong_avoid));

#[unsafe(no_mangle)]
#[unsafe(link_section = ".struct_ops")]
static rust_legacy: tcp_congestion_ops = ops(b"rust_legacy", Some(first_cong_avoid));

#[unsafe(no_mangle)]
#[unsafe(link_section = "?.struct_ops.link")]
static rust_optional: tcp_congestion_ops = ops(b"rust_optional", Some(second_cong_avoid));

#[unsafe(no_mangle)]
#[unsafe(link_section = "?.struct_ops")]
static rust_dormant: tcp_congestion_ops = ops(b"rust_dormant", Some(second_cong_avoid));
