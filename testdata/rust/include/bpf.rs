// What all sources share. Included, so that an object is one compilation unit.

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {} // never called, so never part of a program
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 4] = *b"GPL\0"; // kfuncs want a program that is compatible with the GPL
