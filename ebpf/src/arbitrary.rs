//! Packets and translations for properties.

use std::net::{IpAddr, SocketAddr};
use std::vec::Vec;

use ::tests::packet::{Extension, Packet, Protocol};
use abi::{Flow, FlowKey};
use proptest::prelude::*;

/// An address and port of a family.
pub fn end(v4: bool) -> BoxedStrategy<SocketAddr> {
    let address = if v4 {
        any::<[u8; 4]>().prop_map(IpAddr::from).boxed()
    } else {
        // Not a mapped one: that would be taken for IPv4.
        any::<[u8; 16]>()
            .prop_map(|mut it| {
                it[0] |= 0x20;
                IpAddr::from(it)
            })
            .boxed()
    };
    (address, any::<u16>()).prop_map(SocketAddr::from).boxed()
}

/// A protocol.
pub fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![
        Just(Protocol::Tcp),
        Just(Protocol::Udp),
        Just(Protocol::Sctp)
    ]
}

fn extension() -> impl Strategy<Value = Extension> {
    (0..5_u8, 0..6_u8).prop_map(|(kind, words)| match kind {
        0 | 1 => Extension::Routing(words),
        2 => Extension::Authentication(words * 2 + 1),
        _ => Extension::Destination(words),
    })
}

/// A packet with ports, with options or extension headers, now and then without a checksum.
pub fn packet(v4: bool) -> impl Strategy<Value = Packet> {
    (
        (protocol(), end(v4), end(v4), any::<u8>()),
        (
            0..=10_usize,
            prop::collection::vec(extension(), 0..5),
            any::<bool>(),
        ),
        prop::collection::vec(any::<u8>(), 0..64),
        (any::<u8>(), any::<u8>()),
    )
        .prop_map(
            |(
                (protocol, from, to, ttl),
                (options, mut extensions, hop_by_hop),
                data,
                (flags, luck),
            )| {
                let mut it = Packet::new(protocol, from, to)
                    .data(data)
                    .flags(flags)
                    .ttl(ttl);
                if from.is_ipv4() {
                    it = it.options(&[1].repeat(options * 4));
                } else {
                    // These are first or nowhere (RFC 8200).
                    if hop_by_hop {
                        extensions.insert(0, Extension::HopByHop(flags % 4));
                    }
                    it = it.extensions(&extensions);
                }
                if protocol == Protocol::Udp && luck < 40 {
                    it = it.without_checksum();
                }
                it
            },
        )
}

/// A packet, and the addresses it is to get: of SCTP, with the ports it has.
pub fn translation() -> impl Strategy<Value = (Packet, SocketAddr, SocketAddr)> {
    any::<bool>()
        .prop_flat_map(|v4| (packet(v4), end(v4), end(v4), any::<u8>()))
        .prop_map(|(packet, mut from, mut to, luck)| {
            let (source, destination) = ports(&packet);
            if is_sctp(&packet) {
                from.set_port(source);
                to.set_port(destination);
            }
            // Half of all translations leave one side as it is.
            match luck {
                0..64 => from = SocketAddr::new(packet.source, source),
                64..128 => to = SocketAddr::new(packet.destination, destination),
                _ => {}
            }
            (packet, from, to)
        })
}

/// Ports of a packet.
pub fn ports(packet: &Packet) -> (u16, u16) {
    match &packet.body {
        ::tests::packet::Body::Ports { ports, .. } => *ports,
        _ => (0, 0),
    }
}

/// Whether it is SCTP.
pub fn is_sctp(packet: &Packet) -> bool {
    let body = &packet.body;
    matches!(body, ::tests::packet::Body::Ports { protocol, .. } if *protocol == Protocol::Sctp)
}

/// What gives packets these addresses.
pub fn flow(from: SocketAddr, to: SocketAddr) -> Flow {
    Flow {
        source: from.ip().into(),
        destination: to.ip().into(),
        source_port_be: from.port().to_be(),
        destination_port_be: to.port().to_be(),
        ..Flow::default()
    }
}

/// The key of a packet's flow.
pub fn key(packet: &Packet) -> FlowKey {
    let (source, destination) = ports(packet);
    let protocol = match &packet.body {
        ::tests::packet::Body::Ports { protocol, .. } => protocol.number(),
        _ => 0,
    };
    FlowKey {
        source: packet.source.into(),
        destination: packet.destination.into(),
        source_port_be: source.to_be(),
        destination_port_be: destination.to_be(),
        protocol,
        pad: [0; 3],
    }
}

/// Bytes that begin as a packet does more often than chance would have it.
pub fn noise() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    (bytes, any::<bool>(), 0..6_u8).prop_map(|(mut bytes, v4, how)| {
        if how > 0 && bytes.len() > 20 {
            let kind: u16 = if v4 { 0x0800 } else { 0x86dd };
            bytes[12..14].copy_from_slice(&kind.to_be_bytes());
            bytes[14] = if v4 { 0x45 | how << 1 } else { 0x60 };
            if how > 2 {
                bytes[20] = [6, 0, 43, 44, 51, 60][usize::from(how)];
            }
        }
        bytes
    })
}
