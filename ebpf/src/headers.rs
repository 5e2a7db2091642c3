//! Where the headers of a packet are, and what they say.

use abi::{Address, FlowKey};

use crate::frame::Frame;

/// Protocol numbers.
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMP of IPv6.
pub const ICMPV6: u8 = 58;
/// SCTP.
pub const SCTP: u8 = 132;

/// Length of an Ethernet header.
pub const ETHERNET: u32 = 14;

/// How many extension headers of IPv6 are gone through: RFC 8200 names six, once each.
const EXTENSIONS: u32 = 8;

/// Whether a packet is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// It is.
    Whole,
    /// The first part, which has the ports, of the packet with this identification.
    First(u32),
    /// Another part.
    Later(u32),
}

/// What the headers of an IP packet say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Whether it is IPv4.
    pub v4: bool,
    /// Offset of the IP header.
    pub l3: u32,
    /// Offset of the transport's header; of a later fragment, that of its data.
    pub l4: u32,
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// Protocol of the transport.
    pub protocol: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Whether it is whole.
    pub fragment: Fragment,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// An IP packet.
    Ip(Headers),
    /// Not IP.
    Other,
    /// It ends before its headers do, or they contradict themselves.
    Malformed,
}

/// Reads the headers of a frame.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F) -> Parsed {
    let Some(kind) = frame.load::<2>(12) else {
        return Parsed::Malformed;
    };
    let headers = match u16::from_be_bytes(kind) {
        0x0800 => ip4(frame, ETHERNET),
        0x86dd => ip6(frame, ETHERNET),
        _ => return Parsed::Other,
    };
    match headers {
        Some(headers) => Parsed::Ip(headers),
        None => Parsed::Malformed,
    }
}

/// Reads an IPv4 header at `l3`; none if it is none.
#[inline(always)]
pub fn ip4<F: Frame>(frame: &F, l3: u32) -> Option<Headers> {
    let it: [u8; 20] = frame.load(l3)?;
    let words = u32::from(it[0] & 0xf);
    if it[0] >> 4 != 4 || words < 5 {
        return None;
    }
    let length = u32::from(u16::from_be_bytes([it[2], it[3]]));
    if length < words * 4 {
        return None;
    }
    let id = u32::from(u16::from_be_bytes([it[4], it[5]]));
    let part = u16::from_be_bytes([it[6], it[7]]);
    let fragment = match (part & 0x1fff, part & 0x2000) {
        (0, 0) => Fragment::Whole,
        (0, _) => Fragment::First(id),
        _ => Fragment::Later(id),
    };
    Some(Headers {
        v4: true,
        l3,
        l4: l3 + words * 4,
        source: Address::from_v4_be(u32::from_ne_bytes([it[12], it[13], it[14], it[15]])),
        destination: Address::from_v4_be(u32::from_ne_bytes([it[16], it[17], it[18], it[19]])),
        protocol: it[9],
        ttl: it[8],
        fragment,
    })
}

/// Reads an IPv6 header at `l3` and what follows it up to the transport; none if it is none.
#[inline(always)]
pub fn ip6<F: Frame>(frame: &F, l3: u32) -> Option<Headers> {
    let it: [u8; 8] = frame.load(l3)?;
    if it[0] >> 4 != 6 {
        return None;
    }
    let source = address6(frame, l3 + 8)?;
    let destination = address6(frame, l3 + 24)?;
    let mut headers = Headers {
        v4: false,
        l3,
        l4: l3 + 40,
        source,
        destination,
        protocol: it[6],
        ttl: it[7],
        fragment: Fragment::Whole,
    };
    for _ in 0..EXTENSIONS {
        match headers.protocol {
            // Hop-by-hop, routing, destination options: length in words of eight bytes less one.
            0 | 43 | 60 => {
                let [next, length] = frame.load(headers.l4)?;
                headers.protocol = next;
                headers.l4 += (u32::from(length) + 1) * 8;
            }
            // Authentication: in words of four bytes less two.
            51 => {
                let [next, length] = frame.load(headers.l4)?;
                headers.protocol = next;
                headers.l4 += (u32::from(length) + 2) * 4;
            }
            44 => {
                let part: [u8; 8] = frame.load(headers.l4)?;
                headers.protocol = part[0];
                headers.l4 += 8;
                let offset = u16::from_be_bytes([part[2], part[3]]);
                let id = u32::from_be_bytes([part[4], part[5], part[6], part[7]]);
                if offset & 0xfff8 != 0 {
                    headers.fragment = Fragment::Later(id);
                    // What follows is data.
                    return Some(headers);
                }
                // One that is the only one is whole (RFC 6946).
                if offset & 1 != 0 {
                    headers.fragment = Fragment::First(id);
                }
            }
            _ => return Some(headers),
        }
    }
    // More than there can be.
    None
}

#[inline(always)]
fn address6<F: Frame>(frame: &F, offset: u32) -> Option<Address> {
    let it: [u8; 16] = frame.load(offset)?;
    Some(Address::from_v6_be([
        u32::from_ne_bytes([it[0], it[1], it[2], it[3]]),
        u32::from_ne_bytes([it[4], it[5], it[6], it[7]]),
        u32::from_ne_bytes([it[8], it[9], it[10], it[11]]),
        u32::from_ne_bytes([it[12], it[13], it[14], it[15]]),
    ]))
}

impl Headers {
    /// Whether the protocol has ports, where all that have any have them.
    #[inline(always)]
    pub fn has_ports(&self) -> bool {
        matches!(self.protocol, TCP | UDP | SCTP)
    }

    /// Whether it is its family's ICMP.
    #[inline(always)]
    pub fn is_icmp(&self) -> bool {
        self.protocol == if self.v4 { ICMP } else { ICMPV6 }
    }

    /// The ports in the packet, source first, in network byte order.
    #[inline(always)]
    pub fn ports<F: Frame>(&self, frame: &F) -> Option<(u16, u16)> {
        let it: [u8; 4] = frame.load(self.l4)?;
        Some((
            u16::from_ne_bytes([it[0], it[1]]),
            u16::from_ne_bytes([it[2], it[3]]),
        ))
    }

    /// The key of the packet's flow.
    #[inline(always)]
    pub fn key(&self, (source_port_be, destination_port_be): (u16, u16)) -> FlowKey {
        FlowKey {
            source: self.source,
            destination: self.destination,
            source_port_be,
            destination_port_be,
            protocol: self.protocol,
            pad: [0; 3],
        }
    }
}

/// Flags of TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// Those of a packet that has them; none of any other.
    #[inline(always)]
    pub fn of<F: Frame>(frame: &F, headers: &Headers) -> Self {
        if headers.protocol != TCP || matches!(headers.fragment, Fragment::Later(_)) {
            return Self(0);
        }
        Self(frame.load::<1>(headers.l4 + 13).map_or(0, |[it]| it))
    }

    /// Whether it opens a connection.
    #[inline(always)]
    pub fn opens(self) -> bool {
        self.0 & 0x12 == 0x02
    }

    /// What it does to a flow, in flags of [`abi::Flow`].
    #[inline(always)]
    pub fn ends(self) -> u32 {
        let fin = if self.0 & 1 != 0 { abi::Flow::FIN } else { 0 };
        let rst = if self.0 & 4 != 0 { abi::Flow::RST } else { 0 };
        fin | rst
    }
}

#[cfg(test)]
mod tests;
