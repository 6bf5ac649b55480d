//! Several codegen units, linked as bitcode: modules of this crate, and functions of
//! compiler_builtins, which the compiler calls to compare memory.
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

mod counters {
    #[unsafe(no_mangle)]
    static mut AVOIDED: u64 = 0;

    #[inline(never)]
    pub fn avoided(by: &u64) {
        unsafe { AVOIDED += *by }
    }
}

mod texts {
    #[unsafe(no_mangle)]
    static mut EQUAL: u64 = 0;
    #[unsafe(no_mangle)]
    static mut THIS: [u8; 24] = *b"neither is longer nor to";
    #[unsafe(no_mangle)]
    static mut THAT: [u8; 24] = *b"neither is longer nor to";

    #[inline(never)]
    pub fn compare() {
        unsafe {
            let (this, that) = ((&raw const THIS).read_volatile(), (&raw const THAT).read_volatile());
            EQUAL += (this == that) as u64
        }
    }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/ssthresh")]
unsafe extern "C" fn units_ssthresh(args: *const u64) -> u32 {
    unsafe { tcp_reno_ssthresh(args.read() as *mut sock) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/undo_cwnd")]
unsafe extern "C" fn units_undo_cwnd(args: *const u64) -> u32 {
    unsafe { tcp_reno_undo_cwnd(args.read() as *mut sock) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/cong_avoid")]
unsafe extern "C" fn units_cong_avoid(args: *const u64) {
    unsafe {
        counters::avoided(&1);
        texts::compare();
        tcp_reno_cong_avoid(args.read() as *mut sock, args.add(1).read() as u32, args.add(2).read() as u32)
    }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = ".struct_ops.link")]
static rust_units: tcp_congestion_ops = tcp_congestion_ops {
    ssthresh: Some(units_ssthresh),
    cong_avoid: Some(units_cong_avoid),
    undo_cwnd: Some(units_undo_cwnd),
    release: None,
    name: name(b"rust_units"),
};
