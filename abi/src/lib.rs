//! What eBPF programs and userspace agree on: the layout of map keys and values, the names
//! of maps and programs, capacities.
//!
//! Every type is `repr(C)`, has its padding spelled out, and holds no bool, option or enum,
//! so that any bytes are a value. Ports and addresses are in network byte order, and their
//! names say so; all else is in the machine's.
#![no_std]

mod address;
mod affinity;
mod backend;
mod flow;
mod maglev;
pub mod names;
mod node;
mod service;
mod socket;
mod verdict;

pub use address::Address;
pub use affinity::{AffinityKey, AffinityValue};
pub use backend::{Backend, MemberKey, SlotKey};
pub use flow::{Flow, FlowKey, FragmentKey, FragmentPorts, lifetime_ns};
pub use maglev::{MAGLEV_PART, MaglevKey, MaglevPart};
pub use node::{
    DeviceAddresses, MAPPED_BITS, Network, Node, Pod, REFUSE_MARK, SOURCE_RANGE_BITS, SourceRange,
};
pub use service::{Frontend, Service};
pub use socket::{SocketKey, SocketOrigin};
pub use verdict::Verdict;

/// Version of everything in this crate. It is bumped with any change of a layout or of a
/// meaning; pins of another version are migrated or refused, never read.
pub const ABI_VERSION: u32 = 2;

/// Declares that a type may be copied to and from maps, and checks its size.
macro_rules! plain {
    ($($name:ident: $size:literal),+ $(,)?) => {$(
        const _: () = assert!(core::mem::size_of::<$name>() == $size);
        // SAFETY: repr(C), integers and arrays of them alone, and the size leaves no room
        // for padding: any bytes are a value.
        #[cfg(feature = "user")]
        #[allow(unsafe_code, reason = "the trait is unsafe")]
        unsafe impl aya::Pod for $name {}
    )+};
}

plain! {
    Address: 16,
    Frontend: 20,
    Service: 32,
    SlotKey: 8,
    Backend: 20,
    MemberKey: 24,
    AffinityKey: 24,
    AffinityValue: 32,
    SocketKey: 32,
    SocketOrigin: 24,
    FlowKey: 40,
    Flow: 56,
    FragmentKey: 40,
    FragmentPorts: 4,
    DeviceAddresses: 32,
    Node: 40,
    Pod: 16,
    SourceRange: 20,
    MaglevKey: 8,
    MaglevPart: 512,
}
