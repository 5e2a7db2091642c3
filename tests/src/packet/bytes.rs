//! From what a packet says to its bytes.

use std::net::IpAddr;
use std::ops::Range;

use etherparse::checksum::Sum16BitWords;

use super::{Body, Extension, Packet, Part, Protocol};

pub(super) fn frame(packet: &Packet) -> Vec<u8> {
    let kind: u16 = if packet.source.is_ipv4() {
        0x0800
    } else {
        0x86dd
    };
    let mut frame = packet.macs.concat();
    frame.extend(kind.to_be_bytes());
    frame.extend(ip(packet));
    frame
}

pub(super) fn transport(packet: &Packet) -> usize {
    let (_, whole) = body(packet);
    let (_, range) = cut(packet, whole.len());
    frame(packet).len() - range.len()
}

/// Which part of its datagram, of that length, a packet is, and the bytes it has.
fn cut(packet: &Packet, whole: usize) -> (Part, Range<usize>) {
    let part = packet.part.unwrap_or(Part {
        id: 0x1234,
        from: 0,
        length: whole,
    });
    let end = whole.min(part.from.saturating_add(part.length));
    (part, part.from.min(end)..end)
}

fn ip(packet: &Packet) -> Vec<u8> {
    let (protocol, whole) = body(packet);
    let (part, range) = cut(packet, whole.len());
    let more = range.end < whole.len();
    let data = &whole[range];
    match (packet.source, packet.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let words = 5 + packet.options.len() / 4;
            let length = words * 4 + data.len();
            let flags = u16::from(packet.uncut) << 14 | u16::from(more) << 13;
            let offset = short(part.from / 8) | flags;
            let mut it = vec![0x40 | byte(words), 0];
            it.extend(short(length).to_be_bytes());
            it.extend((part.id as u16).to_be_bytes());
            it.extend(offset.to_be_bytes());
            it.extend([packet.ttl, protocol, 0, 0]);
            it.extend(source.octets());
            it.extend(destination.octets());
            it.extend(&packet.options);
            put(&mut it, 10, Sum16BitWords::new());
            it.extend(data);
            it
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let (first, extensions) = extensions(packet, protocol, part, more);
            let mut it = vec![0x60, 0, 0xbe, 0xef];
            it.extend(short(extensions.len() + data.len()).to_be_bytes());
            it.extend([first, packet.ttl]);
            it.extend(source.octets());
            it.extend(destination.octets());
            it.extend(extensions);
            it.extend(data);
            it
        }
        _ => unreachable!("one family"),
    }
}

/// The number of the first header after that of IPv6, and the bytes of all extension headers.
fn extensions(packet: &Packet, protocol: u8, part: Part, more: bool) -> (u8, Vec<u8>) {
    let mut all = packet.extensions.clone();
    if packet.part.is_some() && !all.contains(&Extension::Fragment) {
        all.push(Extension::Fragment);
    }
    let number = |extension: &Extension| match extension {
        Extension::HopByHop(_) => 0,
        Extension::Routing(_) => 43,
        Extension::Destination(_) => 60,
        Extension::Authentication(_) => 51,
        Extension::Fragment => 44,
    };
    let mut bytes = Vec::new();
    for (n, extension) in all.iter().enumerate() {
        let next = all.get(n + 1).map_or(protocol, number);
        match *extension {
            Extension::HopByHop(words) | Extension::Destination(words) => {
                let padding = usize::from(words) * 8 + 4;
                bytes.extend([next, words, 1, byte(padding.min(255))]);
                bytes.extend(vec![0; padding]);
            }
            Extension::Routing(words) => {
                bytes.extend([next, words, 4, 0]);
                bytes.extend(vec![0; usize::from(words) * 8 + 4]);
            }
            Extension::Authentication(words) => {
                bytes.extend([next, words + 1, 0, 0]);
                bytes.extend([0, 0, 1, 0, 0, 0, 0, 7]);
                bytes.extend(vec![0xaa; usize::from(words) * 4]);
            }
            Extension::Fragment => {
                bytes.extend([next, 0]);
                bytes.extend((short(part.from) | u16::from(more)).to_be_bytes());
                bytes.extend(part.id.to_be_bytes());
            }
        }
    }
    (all.first().map_or(protocol, number), bytes)
}

/// Its protocol, and the bytes after the IP header were it whole.
fn body(packet: &Packet) -> (u8, Vec<u8>) {
    let v4 = packet.source.is_ipv4();
    let icmp = if v4 { 1 } else { 58 };
    match &packet.body {
        Body::Ports {
            protocol,
            ports,
            flags,
            unchecked,
            data,
        } => {
            let mut it = ports.0.to_be_bytes().to_vec();
            it.extend(ports.1.to_be_bytes());
            let checksum = match protocol {
                Protocol::Tcp => {
                    it.extend([1, 2, 3, 4, 5, 6, 7, 8, 0x50, *flags, 0xfa, 0xf0, 0, 0, 0, 0]);
                    Some(16)
                }
                Protocol::Udp => {
                    it.extend(short(8 + data.len()).to_be_bytes());
                    it.extend([0, 0]);
                    Some(6)
                }
                Protocol::Sctp => {
                    // Tag and checksum: nobody computes the latter here.
                    it.extend([9, 8, 7, 6, 0xde, 0xad, 0xbe, 0xef]);
                    None
                }
            };
            it.extend(data);
            if let Some(at) = checksum.filter(|_| !unchecked) {
                let sum = pseudo(packet, protocol.number(), it.len());
                put(&mut it, at, sum);
                if *protocol == Protocol::Udp && it[6..8] == [0, 0] {
                    it[6..8].fill(0xff);
                }
            }
            (protocol.number(), it)
        }
        Body::Icmp { kind, rest, data } => (icmp, message(packet, *kind, *rest, data)),
        Body::Error {
            kind,
            rest,
            about,
            keep,
        } => {
            let mut inner = ip(about);
            inner.truncate(*keep);
            (icmp, message(packet, *kind, *rest, &inner))
        }
        Body::Other { protocol, data } => (*protocol, data.clone()),
    }
}

fn message(packet: &Packet, (kind, code): (u8, u8), rest: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut it = vec![kind, code, 0, 0];
    it.extend(rest);
    it.extend(data);
    let sum = if packet.source.is_ipv4() {
        Sum16BitWords::new()
    } else {
        pseudo(packet, 58, it.len())
    };
    put(&mut it, 2, sum);
    it
}

/// The sum over a pseudo header.
fn pseudo(packet: &Packet, protocol: u8, length: usize) -> Sum16BitWords {
    let sum = Sum16BitWords::new()
        .add_2bytes([0, protocol])
        .add_2bytes(short(length).to_be_bytes());
    match (packet.source, packet.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => sum
            .add_slice(&source.octets())
            .add_slice(&destination.octets()),
        (IpAddr::V6(source), IpAddr::V6(destination)) => sum
            .add_slice(&source.octets())
            .add_slice(&destination.octets()),
        _ => unreachable!("one family"),
    }
}

/// Writes the checksum over all bytes, and what is in `sum` already.
fn put(bytes: &mut [u8], at: usize, sum: Sum16BitWords) {
    let checksum = sum.add_slice(bytes).ones_complement();
    bytes[at..at + 2].copy_from_slice(&checksum.to_ne_bytes());
}

fn short(number: usize) -> u16 {
    u16::try_from(number).expect("packets of tests are short")
}

fn byte(number: usize) -> u8 {
    u8::try_from(number).expect("headers of tests are short")
}
