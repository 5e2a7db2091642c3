//! Flows: packets that were given other addresses, and how they get back.

use crate::Address;

/// Key of [`crate::names::FLOWS`]: the packets of one direction, as they come in.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// Source port.
    pub source_port_be: u16,
    /// Destination port.
    pub destination_port_be: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// Zero.
    pub pad: [u8; 3],
}

impl FlowKey {
    /// The key of packets that go the other way between the same ends.
    #[inline(always)]
    pub const fn reversed(&self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port_be: self.destination_port_be,
            destination_port_be: self.source_port_be,
            protocol: self.protocol,
            pad: [0; 3],
        }
    }
}

/// Value of [`crate::names::FLOWS`]: what the packets of that direction become. A flow has two
/// entries, each of which tells the key of the other: [`Flow::other`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The source address they get.
    pub source: Address,
    /// The destination address they get.
    pub destination: Address,
    /// The source port they get.
    pub source_port_be: u16,
    /// The destination port they get.
    pub destination_port_be: u16,
    /// Flags, of the constants below.
    pub flags: u32,
    /// When the last packet of this direction came, in nanoseconds since boot; 0: none yet.
    pub last_ns: u64,
    /// [`crate::Service::port_id`] of the Service port.
    pub port_id: u32,
    /// Zero.
    pub pad: u32,
}

const SECOND: u64 = 1_000_000_000;

impl Flow {
    /// From the client; without it: from the backend.
    pub const FORWARD: u32 = 1;
    /// A FIN was seen in this direction.
    pub const FIN: u32 = 1 << 1;
    /// A RST was seen in this direction.
    pub const RST: u32 = 1 << 2;

    /// The key of the other direction's entry.
    #[inline(always)]
    pub const fn other(&self, protocol: u8) -> FlowKey {
        FlowKey {
            source: self.destination,
            destination: self.source,
            source_port_be: self.destination_port_be,
            destination_port_be: self.source_port_be,
            protocol,
            pad: [0; 3],
        }
    }

    /// Whether it is over but for packets that are late.
    #[inline(always)]
    pub const fn is_closing(&self) -> bool {
        self.flags & (Self::FIN | Self::RST) != 0
    }
}

/// How long a flow is kept after its last packet, in nanoseconds: from its two entries. The times
/// are those of the kernel's own connection tracking, but for TCP that is idle, where five days
/// are more than anybody waits: nothing shorter than RFC 5382's two hours and four minutes.
pub const fn lifetime_ns(protocol: u8, forward: &Flow, reply: &Flow) -> u64 {
    const TCP: u8 = 6;
    const SCTP: u8 = 132;
    let answered = reply.last_ns != 0;
    let seconds = match protocol {
        TCP | SCTP if (forward.flags | reply.flags) & Flow::RST != 0 => 10,
        TCP | SCTP if forward.is_closing() && reply.is_closing() => 120,
        TCP | SCTP if forward.is_closing() || reply.is_closing() => 300,
        TCP if answered => 8_000,
        SCTP if answered => 600,
        TCP | SCTP => 60,
        _ if answered => 120,
        _ => 30,
    };
    seconds * SECOND
}

/// Key of [`crate::names::FRAGMENTS`]: a packet that comes in several.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FragmentKey {
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// Its identification, of 16 bits in IPv4.
    pub id: u32,
    /// IP protocol number.
    pub protocol: u8,
    /// Zero.
    pub pad: [u8; 3],
}

/// Value of [`crate::names::FRAGMENTS`]: the ports, which only the first fragment has.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FragmentPorts {
    /// Source port.
    pub source_port_be: u16,
    /// Destination port.
    pub destination_port_be: u16,
}
