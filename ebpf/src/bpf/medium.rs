//! What the path of a packet needs of the kernel, whichever hook it is in.

use core::ffi::c_void;

use abi::{Address, Pod};
use aya_ebpf::bindings::bpf_fib_lookup;
use aya_ebpf::helpers::bpf_fib_lookup as fib_lookup;
use ebpf::frame::Frame;

use super::maps::PODS;
use super::scratch::Scratch;

/// What kind of way there is from here to an address.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// None.
    None = 0,
    /// To a pod of this node.
    Pod,
    /// Out of a device.
    Device,
    /// Out of a device whose neighbour has to be asked for its MAC address.
    Ask,
    /// To the node itself.
    Node,
    /// The packet is larger than what the way takes.
    TooBig,
}

/// The way from here to an address.
#[derive(Clone, Copy)]
pub struct Way {
    /// Its kind.
    pub kind: Kind,
    /// The device.
    pub device: u32,
    /// MAC addresses, destination first.
    pub macs: [u8; 12],
}

impl Way {
    /// Makes it the one to a pod of this node.
    #[inline(always)]
    pub fn lead_to(&mut self, pod: &Pod) {
        self.kind = Kind::Pod;
        self.device = pod.device;
        self.macs = macs(pod.mac, pod.host_mac);
    }
}

/// MAC addresses as they begin a frame: destination first.
#[inline(always)]
fn macs(d: [u8; 6], s: [u8; 6]) -> [u8; 12] {
    [
        d[0], d[1], d[2], d[3], d[4], d[5], s[0], s[1], s[2], s[3], s[4], s[5],
    ]
}

/// A packet at a hook.
pub trait Medium: Frame {
    /// Whether packets can be given to other devices than their own, and to the stack as
    /// others than they were.
    const SENDS_ANYWHERE: bool;

    /// The context, as helpers take it.
    fn context(&self) -> *mut c_void;

    /// Index of the device it came in by, or goes out of.
    fn device(&self) -> u32;

    /// The length that is compared to the MTU of the way, without the Ethernet header; 0: the
    /// kernel compares by itself.
    fn length(&self) -> u16;
}

/// `AF_INET` and `AF_INET6`.
const INET: u8 = 2;
const INET6: u8 = 10;

/// Finds the way to `to`, for a packet from `from`: as the kernel's routing tables say for one
/// that came in here, but to pods of this node directly.
#[inline(always)]
pub fn way<M: Medium>(medium: &M, scratch: &mut Scratch, from: Address, to: Address) {
    let way = &mut scratch.way;
    // SAFETY: read at once.
    if let Some(pod) = unsafe { PODS.get(&to) } {
        way.lead_to(pod);
        return;
    }
    let it = &mut scratch.fib;
    // SAFETY: integers and arrays of them.
    *it = unsafe { core::mem::zeroed() };
    it.ifindex = medium.device();
    it.__bindgen_anon_1.tot_len = medium.length();
    if scratch.headers.v4 {
        it.family = INET;
        it.__bindgen_anon_3.ipv4_src = from.0[3];
        it.__bindgen_anon_4.ipv4_dst = to.0[3];
    } else {
        it.family = INET6;
        it.__bindgen_anon_3.ipv6_src = from.0;
        it.__bindgen_anon_4.ipv6_dst = to.0;
    }
    let size = size_of::<bpf_fib_lookup>() as i32;
    // SAFETY: the context is the hook's own, the parameters are not used by anybody else.
    let answer = unsafe { fib_lookup(medium.context(), &raw mut *it, size, 0) };
    way.kind = match answer as u32 {
        bpf_fib_lkup_ret::SUCCESS => Kind::Device,
        bpf_fib_lkup_ret::NOT_FWDED => Kind::Node,
        bpf_fib_lkup_ret::NO_NEIGH => Kind::Ask,
        bpf_fib_lkup_ret::FRAG_NEEDED => Kind::TooBig,
        _ => Kind::None,
    };
    way.device = it.ifindex;
    way.macs = macs(it.dmac, it.smac);
}

/// What bpf_fib_lookup answers, of those that are told apart (`BPF_FIB_LKUP_RET_…`).
mod bpf_fib_lkup_ret {
    pub const SUCCESS: u32 = 0;
    pub const NOT_FWDED: u32 = 4;
    pub const NO_NEIGH: u32 = 7;
    pub const FRAG_NEEDED: u32 = 8;
}
