//! An ops struct that is Rust through and through: its members are in the order that rustc
//! likes, of kinds that the kernel's are not, and some are newer than the kernel.
#![no_std]
#![no_main]
#![allow(non_camel_case_types, non_upper_case_globals, dead_code)]

include!("include/bpf.rs");

#[repr(C)]
pub struct sock(u8);

#[repr(u32)]
#[allow(dead_code)]
pub enum Flags {
    None = 0,
    NonRestricted = 1,
}

#[repr(transparent)]
pub struct Key(u32);

unsafe extern "C" {
    fn tcp_reno_ssthresh(sk: *mut sock) -> u32;
    fn tcp_reno_cong_avoid(sk: *mut sock, ack: u32, acked: u32);
    fn tcp_reno_undo_cwnd(sk: *mut sock) -> u32;
}

type Value = Option<unsafe extern "C" fn(*const u64) -> u32>;

// Not repr(C).
pub struct tcp_congestion_ops {
    name: [u8; 16],
    flags: Flags,                                 // __u32
    key: Key,                                     // __u32
    list: [usize; 2],                             // struct list_head
    owner: usize,                                 // struct module *
    undo_cwnd: Value,                             // a function that returns __u32
    cong_avoid: unsafe extern "C" fn(*const u64), // not Option
    from_the_future: Option<unsafe extern "C" fn(*const u64)>,
    level_of_the_future: u8,
    ssthresh: Value,
}

#[unsafe(no_mangle)]
static mut AVOIDED: u64 = 0;

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/ssthresh")]
unsafe extern "C" fn members_ssthresh(args: *const u64) -> u32 {
    unsafe { tcp_reno_ssthresh(args.read() as *mut sock) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/undo_cwnd")]
unsafe extern "C" fn members_undo_cwnd(args: *const u64) -> u32 {
    unsafe { tcp_reno_undo_cwnd(args.read() as *mut sock) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/cong_avoid")]
unsafe extern "C" fn members_cong_avoid(args: *const u64) {
    unsafe {
        AVOIDED += 1;
        tcp_reno_cong_avoid(args.read() as *mut sock, args.add(1).read() as u32, args.add(2).read() as u32)
    }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = ".struct_ops.link")]
static rust_members: tcp_congestion_ops = tcp_congestion_ops {
    name: *b"rust_members\0\0\0\0",
    flags: Flags::NonRestricted,
    key: Key(0),
    list: [0; 2],
    owner: 0,
    undo_cwnd: Some(members_undo_cwnd),
    cong_avoid: members_cong_avoid,
    from_the_future: None,
    level_of_the_future: 0,
    ssthresh: Some(members_ssthresh),
};
