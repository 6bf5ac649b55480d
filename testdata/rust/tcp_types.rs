//! Maps and variables of every type that Rust has and C has not: enums with data, generics,
//! tuples, u128, char, unit, Option, cells; a BTF map and a legacy one, as aya writes them.
#![no_std]
#![no_main]
#![allow(non_camel_case_types, non_upper_case_globals, dead_code)]

include!("include/bpf.rs");
include!("include/tcp.rs");

use core::cell::UnsafeCell;
use core::sync::atomic::AtomicU64;

unsafe extern "C" {
    fn tcp_reno_ssthresh(sk: *mut sock) -> u32;
    fn tcp_reno_cong_avoid(sk: *mut sock, ack: u32, acked: u32);
    fn tcp_reno_undo_cwnd(sk: *mut sock) -> u32;
}

#[repr(u8)]
#[derive(Clone, Copy)]
pub enum Small {
    A = 1,
    B = 2,
}

#[repr(i32)]
#[derive(Clone, Copy)]
pub enum Negative {
    Minus = -1,
    Plus = 1,
}

#[derive(Clone, Copy)]
pub enum Shape {
    Point,
    Circle(u32),
    Square { side: u64, tag: u8 },
}

// Not repr(C): rustc moves the large member to the front.
#[derive(Clone, Copy)]
pub struct Inner<T> {
    small: u8,
    value: T,
    half: u16,
}

#[derive(Clone, Copy)]
pub struct Everything {
    letter: char,
    letters: [char; 2],
    huge: u128,
    pair: (u32, u8),
    unit: (),
    none: [u64; 0],
    maybe: Option<u32>,
    maybe_text: Option<&'static u8>,
    shape: Shape,
    small: Small,
    negative: Negative,
    inner: Inner<u64>,
    flag: bool,
    real: f64,
    pointer: *mut core::ffi::c_void,
    function: Option<fn(u32) -> char>,
}

pub union Either<T: Copy> {
    this: T,
    that: u64,
}

#[repr(C)]
pub struct ArrayDef<K, V, const N: usize> {
    r#type: *const [i32; 2],
    key: *const K,
    value: *const V,
    max_entries: *const [i32; N],
}

#[repr(transparent)]
pub struct Map<T>(UnsafeCell<T>);
unsafe impl<T> Sync for Map<T> {}

#[unsafe(no_mangle)]
#[unsafe(link_section = ".maps")]
static THINGS: Map<ArrayDef<u32, Everything, 4>> = Map(UnsafeCell::new(ArrayDef {
    r#type: core::ptr::null(),
    key: core::ptr::null(),
    value: core::ptr::null(),
    max_entries: core::ptr::null(),
}));

#[unsafe(no_mangle)]
static CELL: Map<u64> = Map(UnsafeCell::new(7));
#[unsafe(no_mangle)]
static ATOMIC: AtomicU64 = AtomicU64::new(0);
#[unsafe(no_mangle)]
static mut EITHER: Either<u32> = Either { this: 5 };
#[unsafe(no_mangle)]
static mut LETTER: char = 'x';
#[unsafe(no_mangle)]
static mut AVOIDED: u64 = 0;
#[unsafe(no_mangle)]
static mut SHAPE: Shape = Shape::Square { side: 3, tag: 1 };

#[inline(always)]
fn lookup<T>(map: *const T, key: &u32) -> *mut Everything {
    let helper: extern "C" fn(*const T, *const u32) -> *mut Everything = unsafe { core::mem::transmute(1usize) };
    helper(map, key)
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/ssthresh")]
unsafe extern "C" fn types_ssthresh(args: *const u64) -> u32 {
    unsafe { tcp_reno_ssthresh(args.read() as *mut sock) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/undo_cwnd")]
unsafe extern "C" fn types_undo_cwnd(args: *const u64) -> u32 {
    unsafe { tcp_reno_undo_cwnd(args.read() as *mut sock) }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "struct_ops/cong_avoid")]
unsafe extern "C" fn types_cong_avoid(args: *const u64) {
    unsafe {
        AVOIDED += 1;
        *CELL.0.get() += 1;
        ATOMIC.as_ptr().write_volatile(AVOIDED);
        EITHER.that += 1;
        if let Some(thing) = lookup(&THINGS, &1).as_mut() {
            thing.letter = LETTER;
            thing.huge += 1;
            thing.pair.0 += 1;
            thing.inner.value += 1;
            thing.shape = SHAPE;
            thing.maybe = Some(AVOIDED as u32);
            thing.small = Small::B;
            thing.negative = Negative::Minus;
        }
        tcp_reno_cong_avoid(args.read() as *mut sock, args.add(1).read() as u32, args.add(2).read() as u32)
    }
}

#[unsafe(no_mangle)]
#[unsafe(link_section = ".struct_ops.link")]
static rust_types: tcp_congestion_ops = tcp_congestion_ops {
    ssthresh: Some(types_ssthresh),
    cong_avoid: Some(types_cong_avoid),
    undo_cwnd: Some(types_undo_cwnd),
    release: None,
    name: name(b"rust_types"),
};
