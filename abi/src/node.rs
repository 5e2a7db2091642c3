//! What the programs know of the node.

use crate::Address;

/// Value of [`crate::names::NODE`], which has one entry.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Its addresses, for packets that leave by a device without any.
    pub addresses: DeviceAddresses,
    /// The lowest port that clients' packets get with the node's address.
    pub first_port: u16,
    /// How many ports there are from there on; 0: none may be used.
    pub port_count: u16,
    /// Flags, of the constants below.
    pub flags: u32,
}

impl Node {
    /// Packets with [`REFUSE_MARK`] are refused by rules of the node.
    pub const REFUSES: u32 = 1;
}

/// The mark of packets that the node is to refuse, with a RST or an ICMP error.
pub const REFUSE_MARK: u32 = 0x1000;

/// Value of [`crate::names::DEVICES`], whose key is the index of a device: the addresses that
/// clients' packets get when they leave by it. Zero for a family without.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceAddresses {
    /// IPv4, mapped.
    pub v4: Address,
    /// IPv6.
    pub v6: Address,
}

/// Value of [`crate::names::PODS`], whose key is an address: a pod of this node behind a routed
/// port.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pod {
    /// Index of the host end.
    pub device: u32,
    /// MAC address of the pod's end.
    pub mac: [u8; 6],
    /// MAC address of the host end.
    pub host_mac: [u8; 6],
}

/// Key of [`crate::names::CLUSTER`] in a longest-prefix match: a network of pods.
pub type Network = Address;

/// Data of a key of [`crate::names::SOURCES`] in a longest-prefix match: a network that may use
/// a Service port's load balancer addresses. Its prefix counts from `port_id` on.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceRange {
    /// [`crate::Service::port_id`].
    pub port_id: u32,
    /// The network.
    pub address: Address,
}

/// Bits of a prefix before those of an IPv6 network in a [`SourceRange`].
pub const SOURCE_RANGE_BITS: u32 = 32;
/// Bits of a prefix before those of an IPv4 network in an [`Address`].
pub const MAPPED_BITS: u32 = 96;
