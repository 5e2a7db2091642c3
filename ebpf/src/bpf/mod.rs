//! The programs, by hook.
#![allow(
    clippy::needless_borrows_for_generic_args,
    reason = "without a borrow a key is copied to the stack, of which there are 512 bytes"
)]

mod count;
mod flows;
mod leave;
mod maps;
mod medium;
mod open;
mod path;
mod scratch;
mod select;
mod socket;
mod tc;
mod xdp;

/// Nothing here panics; the linker wants the handler all the same.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

/// Some helpers are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
