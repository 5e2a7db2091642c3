//! The program for packets from outside before the kernel makes buffers of them: those whose
//! backend is behind the device they came in by go back from here, all others go on.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use aya_ebpf::bindings::{xdp_action, xdp_md};
use aya_ebpf::helpers::{bpf_xdp_load_bytes, bpf_xdp_store_bytes};
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use ebpf::checksum;
use ebpf::frame::{Checksum, Frame};
use ebpf::headers::ETHERNET;

use super::count::count;
use super::medium::Medium;
use super::path::{self, Action, Place};

/// A packet of a driver.
pub struct Raw {
    it: *mut xdp_md,
}

impl Frame for Raw {
    #[inline(always)]
    fn load<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let mut bytes = MaybeUninit::<[u8; N]>::uninit();
        let to: *mut c_void = bytes.as_mut_ptr().cast();
        // SAFETY: the helper writes N bytes there, or fails.
        if unsafe { bpf_xdp_load_bytes(self.it, offset, to, N as u32) } != 0 {
            return None;
        }
        // SAFETY: written just now.
        Some(unsafe { bytes.assume_init() })
    }

    #[inline(always)]
    fn store<const N: usize>(&mut self, offset: u32, bytes: &[u8; N]) -> bool {
        let from: *mut c_void = bytes.as_ptr().cast_mut().cast();
        // SAFETY: the helper reads N bytes.
        unsafe { bpf_xdp_store_bytes(self.it, offset, from, N as u32) == 0 }
    }

    #[inline(always)]
    fn fix_ip(&mut self, offset: u32, delta: u32) -> bool {
        let Some(old) = self.load::<2>(offset) else {
            return false;
        };
        self.store(offset, &checksum::corrected(old, delta))
    }

    #[inline(always)]
    fn fix_transport(&mut self, it: Checksum, addresses: u32, rest: u32) -> bool {
        let Some(old) = self.load::<2>(it.offset) else {
            return false;
        };
        let delta = checksum::add(addresses, rest);
        let new = if it.zero_is_none {
            checksum::corrected_or_none(old, delta)
        } else {
            checksum::corrected(old, delta)
        };
        self.store(it.offset, &new)
    }
}

impl Medium for Raw {
    const SENDS_ANYWHERE: bool = false;

    #[inline(always)]
    fn context(&self) -> *mut c_void {
        self.it.cast()
    }

    #[inline(always)]
    fn device(&self) -> u32 {
        // SAFETY: the context is the hook's own.
        unsafe { (&raw const (*self.it).ingress_ifindex).read_volatile() }
    }

    #[inline(always)]
    fn length(&self) -> u16 {
        // SAFETY: the context is the hook's own.
        let (from, to) = unsafe {
            (
                (&raw const (*self.it).data).read_volatile(),
                (&raw const (*self.it).data_end).read_volatile(),
            )
        };
        to.wrapping_sub(from).wrapping_sub(ETHERNET) as u16
    }
}

/// At a device that faces the outside.
#[xdp]
pub fn xdp_outside(ctx: XdpContext) -> u32 {
    let mut raw = Raw { it: ctx.ctx };
    let (verdict, action) = path::enter(&mut raw, Place::Outside);
    count(verdict);
    match action {
        Action::Send(_) => xdp_action::XDP_TX,
        Action::Drop => xdp_action::XDP_DROP,
        _ => xdp_action::XDP_PASS,
    }
}
