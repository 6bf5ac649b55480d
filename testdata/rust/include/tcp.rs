// The ops type that every kernel has, with the members in use: they are matched by name.

#[repr(C)]
pub struct sock(u8); // opaque: the verifier takes the types of arguments from the kernel

type Value = Option<unsafe extern "C" fn(*const u64) -> u32>;
type Event = Option<unsafe extern "C" fn(*const u64)>;

#[repr(C)]
pub struct tcp_congestion_ops {
    ssthresh: Value,
    cong_avoid: Event,
    undo_cwnd: Value,
    release: Event,
    name: [u8; 16],
}

const fn name(text: &[u8]) -> [u8; 16] {
    let (mut out, mut i) = ([0; 16], 0);
    while i < text.len() {
        out[i] = text[i];
        i += 1;
    }
    out
}
