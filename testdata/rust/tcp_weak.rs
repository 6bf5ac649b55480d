//! The same through weak externs: one kfunc that the kernel has, one that only a later kernel
//! may have, and a flavor that another crate could declare with another prototype.
#![no_std]
#![no_main]
#![feature(linkage)]
#![allow(non_camel_case_types, non_upper_case_globals)]

include!("include/bpf.rs");
include!("include/tcp.rs");

unsafe extern "C" {
    #[link_name = "tcp_reno_ssthresh___strong"]
    fn ssthresh(sk: *mut sock) -> u32;
    #[linkage = "extern_weak"]
    static tcp_reno_cong_avoid: Option<unsafe extern "C" fn(*mut sock, u32, u32)>;
    #[linkage = "extern_weak"]
    static tcp_reno_cong_avoid_of_the_future: Option<unsafe extern "C" fn(*mut sock, u32, u32)>;
    #[linkage = "extern_weak"]
    static tcp_reno_undo_cwnd___weak: Option<unsafe extern "C" fn(*mut sock) -> u32>;
}

#[unsafe(no_mangle)]
static mut AVOIDED: u64 = 0;
#[unsafe(no_mangle)]
static mut FUTURE: u64 = 0;

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/ssthresh")]
unsafe extern "C" fn weak_ssthresh(args: *const u64) -> u32 {
    unsafe { ssthresh(args.read() as *mut sock) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/undo_cwnd")]
unsafe extern "C" fn weak_undo_cwnd(args: *const u64) -> u32 {
    unsafe {
        match tcp_reno_undo_cwnd___weak {
            Some(undo_cwnd) => undo_cwnd(args.read() as *mut sock),
            None => 10,
        }
    }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/cong_avoid")]
unsafe extern "C" fn weak_cong_avoid(args: *const u64) {
    unsafe {
        let (sk, ack, acked) = (args.read() as *mut sock, args.add(1).read() as u32, args.add(2).read() as u32);
        if let Some(cong_avoid) = tcp_reno_cong_avoid_of_the_future {
            FUTURE += 1;
            cong_avoid(sk, ack, acked)
        } else if let Some(cong_avoid) = tcp_reno_cong_avoid {
            AVOIDED += 1;
            cong_avoid(sk, ack, acked)
        }
    }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = ".struct_ops.link")]
static rust_weak: tcp_congestion_ops = tcp_congestion_ops {
    ssthresh: Some(weak_ssthresh),
    cong_avoid: Some(weak_cong_avoid),
    undo_cwnd: Some(weak_undo_cwnd),
    release: None,
    name: name(b"rust_weak"),
};
