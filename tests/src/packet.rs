//! Packets by what they say, from which their bytes follow with every checksum computed anew: what a translated
//! packet is compared to is never made by translating.

mod bytes;
pub mod oracle;

use std::net::{IpAddr, SocketAddr};

/// Flags of TCP.
pub const FIN: u8 = 1;
/// See [`FIN`].
pub const SYN: u8 = 2;
/// See [`FIN`].
pub const RST: u8 = 4;
/// See [`FIN`].
pub const ACK: u8 = 16;

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

/// An extension header of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// Hop-by-hop options, padding alone: that many words of eight bytes beyond the first.
    HopByHop(u8),
    /// A routing header that has been gone through.
    Routing(u8),
    /// Destination options, padding alone.
    Destination(u8),
    /// An authentication header with that many words of four bytes of its check value.
    Authentication(u8),
    /// Where the fragment header is, if not last.
    Fragment,
}

/// Which part of its datagram a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The identification.
    pub id: u32,
    /// The first byte of the transport's header and data that it has: a multiple of eight.
    pub from: usize,
    /// How many it has, at most; all that are left if there are no more.
    pub length: usize,
}

/// What an IP packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A packet of a protocol with ports.
    Ports {
        /// The protocol.
        protocol: Protocol,
        /// Source and destination port.
        ports: (u16, u16),
        /// Flags, of TCP.
        flags: u8,
        /// Whether it goes without a checksum, as UDP may.
        unchecked: bool,
        /// The data.
        data: Vec<u8>,
    },
    /// ICMP of its family.
    Icmp {
        /// Type and code.
        kind: (u8, u8),
        /// What follows the checksum.
        rest: [u8; 4],
        /// The data.
        data: Vec<u8>,
    },
    /// An ICMP error.
    Error {
        /// Type and code.
        kind: (u8, u8),
        /// What follows the checksum.
        rest: [u8; 4],
        /// What it is about.
        about: Box<Packet>,
        /// How many bytes of that it carries, at most.
        keep: usize,
    },
    /// Another protocol.
    Other {
        /// Its number.
        protocol: u8,
        /// Its bytes.
        data: Vec<u8>,
    },
}

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// MAC addresses: destination, source.
    pub macs: [[u8; 6]; 2],
    /// Source address.
    pub source: IpAddr,
    /// Destination address, of the same family.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Whether routers may not cut it in pieces, which of IPv6 they never may.
    pub uncut: bool,
    /// Options of IPv4: words of four bytes.
    pub options: Vec<u8>,
    /// Extension headers of IPv6.
    pub extensions: Vec<Extension>,
    /// Which part it is, if it is not whole.
    pub part: Option<Part>,
    /// What it carries.
    pub body: Body,
}

impl Packet {
    /// A packet with ports: a SYN in TCP, with four bytes of data else.
    pub fn new(protocol: Protocol, from: SocketAddr, to: SocketAddr) -> Self {
        Self::of(
            from.ip(),
            to.ip(),
            Body::Ports {
                protocol,
                ports: (from.port(), to.port()),
                flags: SYN,
                unchecked: false,
                data: if protocol == Protocol::Tcp {
                    Vec::new()
                } else {
                    b"data".to_vec()
                },
            },
        )
    }

    /// A packet with any body.
    pub fn of(source: IpAddr, destination: IpAddr, body: Body) -> Self {
        assert_eq!(source.is_ipv4(), destination.is_ipv4());
        Self {
            macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
            source,
            destination,
            ttl: 64,
            uncut: false,
            options: Vec::new(),
            extensions: Vec::new(),
            part: None,
            body,
        }
    }

    /// An echo request.
    pub fn echo(source: IpAddr, destination: IpAddr) -> Self {
        let kind = if source.is_ipv4() { (8, 0) } else { (128, 0) };
        let (rest, data) = ([0, 1, 0, 2], b"echo".to_vec());
        Self::of(source, destination, Body::Icmp { kind, rest, data })
    }

    /// An error about a packet, to its source: that it is too big.
    pub fn too_big(source: IpAddr, about: &Self) -> Self {
        let (kind, rest) = if source.is_ipv4() {
            ((3, 4), [0, 0, 5, 0])
        } else {
            ((2, 0), [0, 0, 5, 0])
        };
        Self::error(source, about, kind, rest)
    }

    /// An error about a packet, to its source, with as much of it as fits into 128 bytes.
    pub fn error(source: IpAddr, about: &Self, kind: (u8, u8), rest: [u8; 4]) -> Self {
        Self::of(
            source,
            about.source,
            Body::Error {
                kind,
                rest,
                about: Box::new(about.clone()),
                keep: 128,
            },
        )
    }

    /// With another TTL.
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// With other MAC addresses, destination first.
    pub fn macs(mut self, macs: [[u8; 6]; 2]) -> Self {
        self.macs = macs;
        self
    }

    /// With other data.
    ///
    /// # Panics
    /// If it is an error, which has none.
    pub fn data(mut self, with: impl Into<Vec<u8>>) -> Self {
        match &mut self.body {
            Body::Ports { data, .. } | Body::Icmp { data, .. } | Body::Other { data, .. } => {
                *data = with.into();
            }
            Body::Error { .. } => panic!("an error has no data"),
        }
        self
    }

    /// With these flags of TCP.
    pub fn flags(mut self, with: u8) -> Self {
        if let Body::Ports { flags, .. } = &mut self.body {
            *flags = with;
        }
        self
    }

    /// Without a checksum, as UDP may be.
    pub fn without_checksum(mut self) -> Self {
        if let Body::Ports { unchecked, .. } = &mut self.body {
            *unchecked = true;
        }
        self
    }

    /// Not to be cut in pieces by routers.
    pub fn uncut(mut self) -> Self {
        self.uncut = true;
        self
    }

    /// With options of IPv4.
    pub fn options(mut self, options: &[u8]) -> Self {
        assert_eq!(options.len() % 4, 0);
        self.options = options.to_vec();
        self
    }

    /// With extension headers of IPv6.
    pub fn extensions(mut self, extensions: &[Extension]) -> Self {
        self.extensions = extensions.to_vec();
        self
    }

    /// A part of it.
    pub fn part(mut self, id: u32, from: usize, length: usize) -> Self {
        assert_eq!(from % 8, 0);
        self.part = Some(Part { id, from, length });
        self
    }

    /// An error with that much of what it is about.
    pub fn keeping(mut self, bytes: usize) -> Self {
        if let Body::Error { keep, .. } = &mut self.body {
            *keep = bytes;
        }
        self
    }

    /// From another address and port: an error and what has no ports, from another address.
    pub fn from(mut self, from: SocketAddr) -> Self {
        self.source = from.ip();
        if let Body::Ports { ports, .. } = &mut self.body {
            ports.0 = from.port();
        }
        self
    }

    /// To another.
    pub fn to(mut self, to: SocketAddr) -> Self {
        self.destination = to.ip();
        if let Body::Ports { ports, .. } = &mut self.body {
            ports.1 = to.port();
        }
        self
    }

    /// An error about another packet.
    pub fn about(mut self, packet: Self) -> Self {
        if let Body::Error { about, .. } = &mut self.body {
            **about = packet;
        }
        self
    }

    /// A packet the other way: what its receiver answers.
    pub fn answer(&self) -> Self {
        let mut answer = self.clone();
        (answer.source, answer.destination) = (self.destination, self.source);
        if let Body::Ports { ports, flags, .. } = &mut answer.body {
            *ports = (ports.1, ports.0);
            *flags = SYN | ACK;
        }
        answer
    }

    /// Where the transport's header begins in its bytes.
    pub fn transport(&self) -> usize {
        bytes::transport(self)
    }

    /// Its bytes, from the Ethernet header on.
    pub fn bytes(&self) -> Vec<u8> {
        bytes::frame(self)
    }
}
