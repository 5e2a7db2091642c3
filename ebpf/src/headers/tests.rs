//! What is read from packets, and that nothing is read beyond them.

use std::cell::Cell;
use std::vec::Vec;

use ::tests::packet::{ACK, Extension, FIN, Packet, Protocol, RST, SYN};
use proptest::prelude::*;

use super::*;
use crate::arbitrary;
use crate::frame::Checksum;
use crate::frame::bytes::Bytes;

fn read(packet: &Packet) -> Headers {
    match parse(&Bytes(packet.bytes())) {
        Parsed::Ip(headers) => headers,
        other => panic!("{packet:?} is {other:?}"),
    }
}

fn udp(v4: bool) -> Packet {
    let (from, to) = if v4 {
        ("192.0.2.1:4000", "10.96.0.1:53")
    } else {
        ("[2001:db8::1]:4000", "[fd00:96::1]:53")
    };
    Packet::new(Protocol::Udp, from.parse().unwrap(), to.parse().unwrap()).data([7; 64])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn packets_are_read_as_they_were_built(
        packet in any::<bool>().prop_flat_map(arbitrary::packet)
    ) {
        let headers = read(&packet);
        let frame = Bytes(packet.bytes());
        prop_assert_eq!(headers.v4, packet.source.is_ipv4());
        prop_assert_eq!(headers.ttl, packet.ttl);
        prop_assert_eq!(headers.fragment, Fragment::Whole);
        prop_assert!(headers.has_ports() && !headers.is_icmp());
        let ports = headers.ports(&frame).unwrap();
        prop_assert_eq!(headers.key(ports), arbitrary::key(&packet));
    }

    #[test]
    fn of_any_bytes_nothing_is_read_beyond_the_end(bytes in arbitrary::noise()) {
        let frame = Watched { bytes: Bytes(bytes), end: Cell::new(0) };
        if let Parsed::Ip(headers) = parse(&frame) {
            // Whatever was made of it was there to be read.
            let whole = if headers.v4 { 20 } else { 40 };
            prop_assert!(frame.end.get() >= headers.l3 + whole);
            let _ = headers.ports(&frame);
            let _ = TcpFlags::of(&frame, &headers);
        }
        prop_assert!(frame.end.get() as usize <= frame.bytes.0.len());
    }
}

/// Bytes that tell how far they were read.
struct Watched {
    bytes: Bytes,
    end: Cell<u32>,
}

impl Frame for Watched {
    fn load<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let it = self.bytes.load(offset)?;
        self.end.set(self.end.get().max(offset + N as u32));
        Some(it)
    }

    fn store<const N: usize>(&mut self, _: u32, _: &[u8; N]) -> bool {
        panic!("whoever reads does not write")
    }

    fn fix_ip(&mut self, _: u32, _: u32) -> bool {
        panic!("whoever reads does not write")
    }

    fn fix_transport(&mut self, _: Checksum, _: u32, _: u32) -> bool {
        panic!("whoever reads does not write")
    }
}

#[test]
fn at_every_length_a_packet_is_malformed_or_whole() {
    let long = udp(false).extensions(&[
        Extension::HopByHop(1),
        Extension::Authentication(3),
        Extension::Destination(0),
    ]);
    for packet in [udp(true).options(&[1; 8]), udp(false), long] {
        let bytes = packet.bytes();
        let headers = read(&packet);
        for length in 0..bytes.len() {
            let frame = Bytes(bytes[..length].to_vec());
            let needed = if headers.v4 { 34 } else { headers.l4 as usize };
            match parse(&frame) {
                Parsed::Ip(short) => {
                    assert_eq!(short, headers, "{length}");
                    let has = short.ports(&frame).is_some();
                    assert_eq!(has, length >= headers.l4 as usize + 4, "{length}");
                }
                Parsed::Malformed => assert!(length < needed, "{length}"),
                Parsed::Other => panic!("{length}"),
            }
        }
    }
}

#[test]
fn what_is_not_ip_is_nothing_of_ours() {
    let mut frame = udp(true).bytes();
    for kind in [0x0806_u16, 0x8100, 0x88a8, 0x8847, 0, 0xffff, 0x0801] {
        frame[12..14].copy_from_slice(&kind.to_be_bytes());
        assert_eq!(parse(&Bytes(frame.clone())), Parsed::Other, "{kind:x}");
    }
}

#[test]
fn headers_that_contradict_themselves_are_malformed() {
    type Change = fn(&mut Vec<u8>);
    let rows: [(&str, bool, Change); 6] = [
        ("IPv6 in IPv4's type", true, |it| it[14] = 0x65),
        ("IPv4 in IPv6's type", false, |it| it[14] = 0x40),
        ("a header of four words", true, |it| it[14] = 0x44),
        ("a header longer than the packet", true, |it| it[17] = 19),
        ("options beyond the packet", true, |it| {
            it[14] = 0x4f;
            it[16..18].copy_from_slice(&59_u16.to_be_bytes());
        }),
        ("no version", false, |it| it[14] = 0),
    ];
    for (what, v4, change) in rows {
        let mut bytes = udp(v4).bytes();
        change(&mut bytes);
        assert_eq!(parse(&Bytes(bytes)), Parsed::Malformed, "{what}");
    }
}

#[test]
fn fragments_say_which_they_are() {
    for v4 in [true, false] {
        let rows = [
            ("first", udp(v4).part(77, 0, 24), Fragment::First(77)),
            ("middle", udp(v4).part(77, 24, 24), Fragment::Later(77)),
            ("last", udp(v4).part(77, 48, 100), Fragment::Later(77)),
        ];
        for (what, packet, expected) in rows {
            let headers = read(&packet);
            assert_eq!(headers.fragment, expected, "{what}");
            assert!(headers.has_ports(), "{what}");
        }
        let whole = udp(v4).part(77, 0, 1000);
        assert_eq!(read(&whole).fragment, Fragment::Whole, "atomic, RFC 6946");
    }
    let high = udp(false).part(0xdead_beef, 8, 8);
    assert_eq!(read(&high).fragment, Fragment::Later(0xdead_beef));
}

#[test]
fn after_a_later_fragment_nothing_is_a_header() {
    // Destination options are in the first fragment: what looks like them here is data.
    let later = udp(false)
        .extensions(&[Extension::Fragment])
        .part(5, 16, 24);
    let mut bytes = later.bytes();
    bytes[54] = 60;
    let Parsed::Ip(headers) = parse(&Bytes(bytes)) else {
        panic!("it is IP");
    };
    assert_eq!((headers.protocol, headers.l4), (60, 62));
}

#[test]
fn extension_headers_end_somewhere() {
    let many = |count| udp(false).extensions(&[Extension::Destination(0)].repeat(count));
    assert_eq!(read(&many(7)).protocol, UDP);
    assert_eq!(parse(&Bytes(many(8).bytes())), Parsed::Malformed);
    // The longest of all: beyond the end of the packet.
    let mut bytes = many(1).bytes();
    bytes[55] = 255;
    let Parsed::Ip(headers) = parse(&Bytes(bytes.clone())) else {
        panic!("it is IP until its ports are looked for");
    };
    assert_eq!(headers.ports(&Bytes(bytes)), None);
    for unknown in [59, 50, 135, 139, 253] {
        let mut bytes = udp(false).bytes();
        bytes[20] = unknown;
        let Parsed::Ip(headers) = parse(&Bytes(bytes)) else {
            panic!("it is IP");
        };
        assert_eq!((headers.protocol, headers.l4), (unknown, 54));
        assert!(!headers.has_ports());
    }
}

#[test]
fn flags_are_those_of_tcp_alone() {
    let (from, to) = (
        "192.0.2.1:1".parse().unwrap(),
        "192.0.2.2:2".parse().unwrap(),
    );
    let rows = [
        (SYN, true, 0),
        (SYN | ACK, false, 0),
        (ACK, false, 0),
        (FIN | ACK, false, abi::Flow::FIN),
        (RST, false, abi::Flow::RST),
        (RST | ACK, false, abi::Flow::RST),
        (FIN | RST, false, abi::Flow::FIN | abi::Flow::RST),
        (SYN | FIN, true, abi::Flow::FIN),
    ];
    for (flags, opens, ends) in rows {
        let packet = Packet::new(Protocol::Tcp, from, to).flags(flags);
        let (frame, headers) = (Bytes(packet.bytes()), read(&packet));
        let found = TcpFlags::of(&frame, &headers);
        assert_eq!((found.opens(), found.ends()), (opens, ends), "{flags:#x}");
        let later = packet.data([0xff; 64]).part(1, 24, 16);
        assert_eq!(
            TcpFlags::of(&Bytes(later.bytes()), &read(&later)),
            TcpFlags(0)
        );
        let short = Bytes(frame.0[..headers.l4 as usize + 13].to_vec());
        assert_eq!(TcpFlags::of(&short, &headers), TcpFlags(0), "not there");
    }
    let udp = udp(true).data([0xff; 40]);
    assert_eq!(TcpFlags::of(&Bytes(udp.bytes()), &read(&udp)), TcpFlags(0));
}

#[test]
fn icmp_is_that_of_its_family() {
    let v4 = Packet::echo("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
    let v6 = Packet::echo("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
    assert!(read(&v4).is_icmp() && read(&v6).is_icmp());
    let mut crossed = v4.bytes();
    crossed[23] = ICMPV6;
    let Parsed::Ip(headers) = parse(&Bytes(crossed)) else {
        panic!("it is IP");
    };
    assert!(!headers.is_icmp());
}
