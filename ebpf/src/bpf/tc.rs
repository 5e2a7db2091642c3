//! Programs at devices, for buffers of the kernel.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use abi::{REFUSE_MARK, Verdict};
use aya_ebpf::bindings::{
    __sk_buff, BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR, TC_ACT_OK, TC_ACT_SHOT,
};
use aya_ebpf::helpers::{
    bpf_l3_csum_replace, bpf_l4_csum_replace, bpf_redirect, bpf_redirect_neigh, bpf_redirect_peer,
    bpf_skb_load_bytes, bpf_skb_store_bytes,
};
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use ebpf::frame::{Checksum, Frame};

use super::count::count;
use super::leave::leave;
use super::medium::Medium;
use super::path::{self, Action, Place};

/// A buffer of the kernel.
pub struct Skb {
    it: *mut __sk_buff,
}

impl Frame for Skb {
    #[inline(always)]
    fn load<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let mut bytes = MaybeUninit::<[u8; N]>::uninit();
        let to: *mut c_void = bytes.as_mut_ptr().cast();
        // SAFETY: the helper writes N bytes there, or clears them and fails.
        let failed = unsafe { bpf_skb_load_bytes(self.it.cast(), offset, to, N as u32) };
        if failed != 0 {
            return None;
        }
        // SAFETY: written just now.
        Some(unsafe { bytes.assume_init() })
    }

    #[inline(always)]
    fn store<const N: usize>(&mut self, offset: u32, bytes: &[u8; N]) -> bool {
        // SAFETY: the helper reads N bytes.
        unsafe { bpf_skb_store_bytes(self.it, offset, bytes.as_ptr().cast(), N as u32, 0) == 0 }
    }

    #[inline(always)]
    fn fix_ip(&mut self, offset: u32, delta: u32) -> bool {
        // SAFETY: takes integers.
        unsafe { bpf_l3_csum_replace(self.it, offset, 0, u64::from(delta), 0) == 0 }
    }

    #[inline(always)]
    fn fix_transport(&mut self, checksum: Checksum, addresses: u32, rest: u32) -> bool {
        let flags = if checksum.zero_is_none {
            u64::from(BPF_F_MARK_MANGLED_0)
        } else {
            0
        };
        let pseudo = flags | u64::from(BPF_F_PSEUDO_HDR);
        let offset = checksum.offset;
        // SAFETY: takes integers.
        unsafe {
            (addresses == 0
                || bpf_l4_csum_replace(self.it, offset, 0, u64::from(addresses), pseudo) == 0)
                && (rest == 0
                    || bpf_l4_csum_replace(self.it, offset, 0, u64::from(rest), flags) == 0)
        }
    }
}

impl Medium for Skb {
    const SENDS_ANYWHERE: bool = true;

    #[inline(always)]
    fn context(&self) -> *mut c_void {
        self.it.cast()
    }

    #[inline(always)]
    fn device(&self) -> u32 {
        // SAFETY: the context is the hook's own.
        unsafe { (&raw const (*self.it).ifindex).read_volatile() }
    }

    #[inline(always)]
    fn length(&self) -> u16 {
        0
    }
}

/// At the host end of a pod's port, and at a bridge's own port: what comes from a pod.
#[classifier]
pub fn from_pod(ctx: TcContext) -> i32 {
    enter(&ctx, Place::Pod)
}

/// At a device that faces the outside: what comes from there.
#[classifier]
pub fn from_outside(ctx: TcContext) -> i32 {
    enter(&ctx, Place::Outside)
}

/// At both kinds of device: what the node itself sends there, of backends on the node.
#[classifier]
pub fn to_device(ctx: TcContext) -> i32 {
    let mut skb = Skb { it: ctx.skb.skb };
    let (verdict, action) = leave(&mut skb);
    count(verdict);
    match action {
        Action::Drop => TC_ACT_SHOT,
        _ => TC_ACT_OK,
    }
}

#[inline(always)]
fn enter(ctx: &TcContext, place: Place) -> i32 {
    let mut skb = Skb { it: ctx.skb.skb };
    // SAFETY: the context is the hook's own.
    if unsafe { (&raw const (*skb.it).vlan_present).read_volatile() } != 0 {
        // It belongs to the device of that VLAN, where it is seen again.
        count(Verdict::PacketOther);
        return TC_ACT_OK;
    }
    let (verdict, action) = path::enter(&mut skb, place);
    count(verdict);
    match action {
        Action::Pass => TC_ACT_OK,
        Action::Drop => TC_ACT_SHOT,
        Action::Refuse => {
            // SAFETY: the context is the hook's own.
            unsafe {
                let mark = (&raw const (*skb.it).mark).read_volatile();
                (&raw mut (*skb.it).mark).write_volatile(mark | REFUSE_MARK);
            }
            TC_ACT_OK
        }
        // SAFETY: takes integers.
        Action::Peer(device) => unsafe { bpf_redirect_peer(device, 0) as i32 },
        // SAFETY: as above.
        Action::Send(device) => unsafe { bpf_redirect(device, 0) as i32 },
        // SAFETY: without parameters the kernel asks its own tables.
        Action::Ask(device) => unsafe {
            bpf_redirect_neigh(device, core::ptr::null_mut(), 0, 0) as i32
        },
        Action::ToTc => {
            count(Verdict::PacketMalformed);
            TC_ACT_SHOT
        }
    }
}
