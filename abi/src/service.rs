//! What clients ask for: an address and port, and the backends behind it.

use crate::Address;

/// Key of [`crate::names::SERVICES`]: where a client sends to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frontend {
    /// Destination address.
    pub address: Address,
    /// Destination port; 0 stands for all ports of the address that have no entry.
    pub port_be: u16,
    /// IP protocol number; 0 where the port is 0.
    pub protocol: u8,
    /// Zero.
    pub pad: u8,
}

/// Value of [`crate::names::SERVICES`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// The Service port this frontend belongs to: the same for all its addresses, never 0,
    /// and kept for as long as the port exists.
    pub port_id: u32,
    /// Set of backends for clients on this node and in the cluster.
    pub inside_set: u32,
    /// How many backends that set has; 0: none, and [`Service::INSIDE_REJECT`] or
    /// [`Service::INSIDE_DROP`] says what becomes of the client.
    pub inside_count: u32,
    /// Set of backends for clients outside.
    pub outside_set: u32,
    /// How many that set has.
    pub outside_count: u32,
    /// How long a client stays with its backend after its last connection, in seconds; 0:
    /// no affinity.
    pub affinity_seconds: u32,
    /// Flags, of the constants below.
    pub flags: u32,
    /// Size of the Maglev table of the set for clients outside; 0: it has none.
    pub outside_maglev: u32,
}

impl Service {
    /// Clients inside that find no backend are refused.
    pub const INSIDE_REJECT: u32 = 1;
    /// Clients inside that find no backend get no answer.
    pub const INSIDE_DROP: u32 = 1 << 1;
    /// Clients outside that find no backend are refused.
    pub const OUTSIDE_REJECT: u32 = 1 << 2;
    /// Clients outside that find no backend get no answer.
    pub const OUTSIDE_DROP: u32 = 1 << 3;
    /// Packets from outside keep their source address.
    pub const KEEP_SOURCE: u32 = 1 << 4;
    /// Only clients within [`crate::names::SOURCES`] are served.
    pub const CHECK_SOURCE: u32 = 1 << 5;
}
