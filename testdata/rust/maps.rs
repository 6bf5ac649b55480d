//! Maps as aya declares them: legacy ones in section "maps", with a definition of 28 bytes,
//! and BTF maps in section ".maps".
#![no_std]
#![no_main]
#![allow(non_camel_case_types)]

include!("include/bpf.rs");

use core::cell::UnsafeCell;

#[repr(C)]
pub struct bpf_map_def {
    type_: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    id: u32,
    pinning: u32,
}

#[repr(transparent)]
pub struct Array<T> {
    def: UnsafeCell<bpf_map_def>,
    _t: core::marker::PhantomData<T>,
}
unsafe impl<T: Sync> Sync for Array<T> {}

#[unsafe(no_mangle)]
#[unsafe(link_section = "maps")]
static LEGACY: Array<u64> = Array {
    def: UnsafeCell::new(bpf_map_def { type_: 2, key_size: 4, value_size: 8, max_entries: 3, map_flags: 0, id: 0, pinning: 0 }),
    _t: core::marker::PhantomData,
};

/// What tells the linker that a struct defines a map.
#[repr(transparent)]
pub struct Marker(core::marker::PhantomData<()>);

#[repr(C)]
pub struct HashMapDef<K, V, const M: usize, const F: usize = 0> {
    r#type: *const [i32; 1],
    key: *const K,
    value: *const V,
    max_entries: *const [i32; M],
    map_flags: *const [i32; F],
    _anon: Marker,
}

#[repr(transparent)]
pub struct HashMap<K, V, const M: usize, const F: usize = 0>(UnsafeCell<HashMapDef<K, V, M, F>>);
unsafe impl<K: Sync, V: Sync, const M: usize, const F: usize> Sync for HashMap<K, V, M, F> {}

#[unsafe(no_mangle)]
#[unsafe(link_section = ".maps")]
static BTF: HashMap<u32, Option<u64>, 10> = HashMap(UnsafeCell::new(HashMapDef {
    r#type: core::ptr::null(),
    key: core::ptr::null(),
    value: core::ptr::null(),
    max_entries: core::ptr::null(),
    map_flags: core::ptr::null(),
    _anon: Marker(core::marker::PhantomData),
}));

#[unsafe(no_mangle)]
#[unsafe(link_section = "socket")]
unsafe extern "C" fn count(_context: *const u64) -> i32 {
    let lookup: extern "C" fn(*const u8, *const u32) -> *mut u64 = unsafe { core::mem::transmute(1usize) };
    let update: extern "C" fn(*const u8, *const u32, *const Option<u64>, u64) -> i64 = unsafe { core::mem::transmute(2usize) };
    unsafe {
        if let Some(value) = lookup((&raw const LEGACY).cast(), &1).as_mut() {
            *value += 1;
            update((&raw const BTF).cast(), &5, &Some(*value), 0);
        }
    }
    0
}
