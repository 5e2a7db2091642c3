//! Translated packets are those that had been built with the other addresses in the first place.

use std::net::SocketAddr;

use ::tests::packet::{Packet, Protocol, oracle};
use proptest::prelude::*;

use super::*;
use crate::arbitrary::{self, flow};
use crate::frame::bytes::Bytes;
use crate::headers::{Parsed, parse};

fn read(frame: &Bytes) -> Headers {
    match parse(frame) {
        Parsed::Ip(headers) => headers,
        other => panic!("{other:?}"),
    }
}

fn ports(packet: &Packet) -> (u16, u16) {
    let (source, destination) = arbitrary::ports(packet);
    (source.to_be(), destination.to_be())
}

/// The packet with other addresses.
fn translated(it: &Packet, from: SocketAddr, to: SocketAddr) -> Result<Bytes, Fault> {
    let mut frame = Bytes(it.bytes());
    let headers = read(&frame);
    packet(&mut frame, &headers, ports(it), &flow(from, to))?;
    Ok(frame)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn it_is_as_if_built_so((it, from, to) in arbitrary::translation()) {
        let frame = translated(&it, from, to).unwrap();
        prop_assert_eq!(&frame.0, &it.clone().from(from).to(to).bytes());
        oracle::check(&frame.0).unwrap();
    }

    #[test]
    fn there_and_back_is_the_same((it, from, to) in arbitrary::translation()) {
        let mut frame = translated(&it, from, to).unwrap();
        let (source, destination) = ports(&it);
        let back = Flow {
            source: it.source.into(),
            destination: it.destination.into(),
            source_port_be: source,
            destination_port_be: destination,
            ..Flow::default()
        };
        let headers = read(&frame);
        packet(&mut frame, &headers, (from.port().to_be(), to.port().to_be()), &back).unwrap();
        prop_assert_eq!(frame.0, it.bytes());
    }

    #[test]
    fn fragments_are_those_of_the_translated_packet(
        (it, from, to) in arbitrary::translation(),
        first in 3..8_usize,
    ) {
        // Long enough for three, the first of which has the checksum.
        let it = it.data([0x5a; 200]);
        for (begin, length) in [(0, first * 8), (first * 8, 64), (first * 8 + 64, 1000)] {
            let part = it.clone().part(99, begin, length);
            let frame = translated(&part, from, to).unwrap();
            prop_assert_eq!(frame.0, part.from(from).to(to).bytes());
        }
    }

    #[test]
    fn cut_anywhere_it_is_told_or_harmless((it, from, to) in arbitrary::translation()) {
        let bytes = it.bytes();
        let whole = it.clone().from(from).to(to).bytes();
        let l4 = read(&Bytes(bytes.clone())).l4 as usize;
        let ends = match &it.body {
            ::tests::packet::Body::Ports { protocol: Protocol::Tcp, .. } => 18,
            ::tests::packet::Body::Ports { protocol: Protocol::Udp, .. } => 8,
            _ => 4,
        };
        for length in 0..bytes.len() {
            let mut frame = Bytes(bytes[..length].to_vec());
            let Parsed::Ip(headers) = parse(&frame) else { continue };
            let done = packet(&mut frame, &headers, ports(&it), &flow(from, to));
            prop_assert_eq!(frame.0.len(), length);
            if length >= l4 + ends {
                prop_assert_eq!(done, Ok(()));
                prop_assert_eq!(&frame.0[..], &whole[..length]);
            } else if ends > 4 {
                prop_assert_eq!(done, Err(Fault::Short), "{}", length);
            }
        }
    }

    #[test]
    fn noise_is_harmless(bytes in arbitrary::noise(), from in any::<u16>(), v4 in any::<bool>()) {
        let mut frame = Bytes(bytes);
        let length = frame.0.len();
        if let Parsed::Ip(headers) = parse(&frame) {
            let address = if v4 { "10.1.2.3:7" } else { "[fd00::7]:7" };
            let to: SocketAddr = address.parse().unwrap();
            if to.is_ipv4() == headers.v4 {
                let from = SocketAddr::new(to.ip(), from);
                let _ = packet(&mut frame, &headers, (1, 2), &flow(from, to));
                if headers.ttl > 0 {
                    let _ = hop(&mut frame, &headers);
                }
            }
        }
        prop_assert_eq!(frame.0.len(), length);
    }

    #[test]
    fn a_hop_takes_one_from_the_ttl(it in any::<bool>().prop_flat_map(arbitrary::packet)) {
        prop_assume!(it.ttl > 0);
        let mut frame = Bytes(it.bytes());
        let headers = read(&frame);
        hop(&mut frame, &headers).unwrap();
        let lower = it.ttl - 1;
        prop_assert_eq!(frame.0, it.ttl(lower).bytes());
    }
}

#[test]
fn udp_without_a_checksum_stays_without() {
    for (from, to, new) in [
        ("192.0.2.1:1", "10.96.0.1:53", "10.244.0.2:5353"),
        ("[2001:db8::1]:1", "[fd00:96::1]:53", "[fd00:244::2]:5353"),
    ] {
        let (from, to, new) = (
            from.parse().unwrap(),
            to.parse().unwrap(),
            new.parse().unwrap(),
        );
        let it = Packet::new(Protocol::Udp, from, to).without_checksum();
        let frame = translated(&it, from, new).unwrap();
        assert_eq!(frame.0, it.to(new).bytes());
        let l4 = read(&frame).l4 as usize;
        assert_eq!(frame.0[l4 + 6..l4 + 8], [0, 0]);
    }
}

#[test]
fn a_checksum_of_udp_that_becomes_zero_is_written_as_ones() {
    let (from, to) = (
        "192.0.2.1:1".parse().unwrap(),
        "10.96.0.1:53".parse().unwrap(),
    );
    let it = Packet::new(Protocol::Udp, from, to);
    let mut ones = 0;
    // The destination port takes every value: with one of them the sum is all ones.
    for port in 0..=u16::MAX {
        let new = SocketAddr::new("10.244.0.2".parse().unwrap(), port);
        let frame = translated(&it, from, new).unwrap();
        let checksum = &frame.0[40..42];
        assert_ne!(checksum, [0, 0], "{port}");
        if checksum == [0xff, 0xff] {
            ones += 1;
            assert_eq!(frame.0, it.clone().to(new).bytes());
        }
    }
    assert!(ones >= 1, "no port made the checksum zero");
}

#[test]
fn ports_of_sctp_are_left_alone_or_refused() {
    let (from, to) = (
        "192.0.2.1:4000".parse().unwrap(),
        "10.96.0.1:9".parse().unwrap(),
    );
    let it = Packet::new(Protocol::Sctp, from, to);
    let same = "10.244.0.2:9".parse().unwrap();
    assert_eq!(
        translated(&it, from, same).unwrap().0,
        it.clone().to(same).bytes()
    );
    let mut frame = Bytes(it.bytes());
    let headers = read(&frame);
    let other = flow(from, "10.244.0.2:10".parse().unwrap());
    let refused = packet(&mut frame, &headers, ports(&it), &other);
    assert_eq!(refused, Err(Fault::FixedPorts));
    assert_eq!(frame.0, it.bytes(), "untouched");
}
