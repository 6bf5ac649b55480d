//! Subprograms of every sort: exported, public, private, a method, generic, a closure, cold,
//! with references and kernel pointers as arguments, without a result; and callbacks.
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

/// What the callbacks did; one line of defence against a call of the wrong function.
#[repr(C)]
pub struct Counts {
    exported: u64,
    public: u64,
    private: u64,
    method: u64,
    generic: u64,
    closure: u64,
    cold: u64,
    looped: u64,
}

#[unsafe(no_mangle)]
static mut COUNTS: Counts = Counts { exported: 0, public: 0, private: 0, method: 0, generic: 0, closure: 0, cold: 0, looped: 0 };

macro_rules! count {
    ($member:ident) => {
        #[allow(unused_unsafe)]
        unsafe {
            (&raw mut COUNTS.$member).write_volatile((&raw const COUNTS.$member).read_volatile() + 1)
        }
    };
}

// The first function of .text: what a wrong address hits.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn aaa_first(_index: u64, _context: *mut u64) -> i64 {
    1 // ends the loop
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn looped(_index: u64, context: *mut u64) -> i64 {
    unsafe { *context += 1 };
    count!(looped);
    0
}

#[unsafe(no_mangle)]
#[inline(never)]
pub unsafe extern "C" fn exported(sk: *mut sock, ack: u32, acked: u32) {
    count!(exported);
    unsafe { tcp_reno_cong_avoid(sk, ack, acked) }
}

#[inline(never)]
pub fn public(value: &mut u64) {
    count!(public);
    *value += 1;
}

#[inline(never)]
fn private(value: &u64) -> u64 {
    count!(private);
    *value + 1
}

impl Counts {
    #[inline(never)]
    pub fn method(&self, sk: *mut sock) -> u32 {
        count!(method);
        unsafe { tcp_reno_undo_cwnd(sk) }
    }
}

#[inline(never)]
fn generic<T: Copy + Into<u64>>(value: T) -> u64 {
    count!(generic);
    value.into()
}

#[inline(never)]
fn called<F: FnMut(u64)>(mut f: F, value: u64) {
    f(value)
}

#[cold]
#[inline(never)]
fn cold(value: u64) -> u64 {
    count!(cold);
    value
}

#[inline(always)]
fn bpf_loop(n: u32, f: extern "C" fn(u64, *mut u64) -> i64, context: *mut u64) -> i64 {
    let helper: extern "C" fn(u32, extern "C" fn(u64, *mut u64) -> i64, *mut u64, u64) -> i64 = unsafe { core::mem::transmute(181usize) };
    helper(n, f, context, 0)
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/ssthresh")]
unsafe extern "C" fn sub_ssthresh(args: *const u64) -> u32 {
    unsafe { tcp_reno_ssthresh(args.read() as *mut sock) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/undo_cwnd")]
unsafe extern "C" fn sub_undo_cwnd(args: *const u64) -> u32 {
    unsafe { (*(&raw const COUNTS)).method(args.read() as *mut sock) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/cong_avoid")]
unsafe extern "C" fn sub_cong_avoid(args: *const u64) {
    unsafe {
        let mut rounds = 0u64;
        bpf_loop(5, looped, &mut rounds);
        public(&mut rounds);
        let mut sum = private(&rounds) + generic(1u32) + generic(2u64);
        called(
            |value| {
                count!(closure);
                sum += value
            },
            3,
        );
        if sum == 0 {
            cold(sum);
        }
        exported(args.read() as *mut sock, args.add(1).read() as u32, args.add(2).read() as u32)
    }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = ".struct_ops.link")]
static rust_subprogs: tcp_congestion_ops = tcp_congestion_ops {
    ssthresh: Some(sub_ssthresh),
    cong_avoid: Some(sub_cong_avoid),
    undo_cwnd: Some(sub_undo_cwnd),
    release: None,
    name: name(b"rust_subprogs"),
};
