//! Errors are translated inside and out.

use std::net::SocketAddr;

use ::tests::packet::{Extension, Packet, Protocol, oracle};
use proptest::prelude::*;

use super::*;
use crate::arbitrary::{self, flow, key};
use crate::frame::bytes::Bytes;
use crate::headers::{Parsed, parse};

fn read(frame: &Bytes) -> Headers {
    match parse(frame) {
        Parsed::Ip(headers) => headers,
        other => panic!("{other:?}"),
    }
}

/// A client's packet to a Service, and how the backend got it.
#[derive(Debug)]
struct Scene {
    asked: Packet,
    sent: Packet,
}

impl Scene {
    fn new(asked: Packet, from: SocketAddr, to: SocketAddr) -> Self {
        let sent = asked.clone().from(from).to(to);
        Self { asked, sent }
    }

    /// The flow of packets back.
    fn reply(&self) -> Flow {
        let (source, destination) = arbitrary::ports(&self.asked);
        flow(
            SocketAddr::new(self.asked.destination, destination),
            SocketAddr::new(self.asked.source, source),
        )
    }
}

fn end_of_errors(v4: bool) -> impl Strategy<Value = (u8, u8)> {
    let kinds = if v4 { [3, 4, 11, 12] } else { [1, 2, 3, 4] };
    (prop::sample::select(kinds.to_vec()), 0..16_u8)
}

/// An error about what a backend was sent, as the client is to get it.
fn told(error: &Packet, reply: &Flow) -> Bytes {
    let mut frame = Bytes(error.bytes());
    let headers = read(&frame);
    let about = About::of(&frame, &headers).expect("it is about a packet with ports");
    about.translate(&mut frame, &headers, reply).unwrap();
    frame
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn it_is_as_if_it_were_about_what_the_client_sent(
        (asked, from, to) in arbitrary::translation(),
        router in any::<[u8; 16]>(),
        (kind4, kind6) in (end_of_errors(true), end_of_errors(false)),
        (keep, by_backend) in (28..300_usize, any::<bool>()),
    ) {
        let scene = Scene::new(asked, from, to);
        let v4 = from.is_ipv4();
        let router: core::net::IpAddr = if v4 {
            [router[0], router[1], router[2], router[3]].into()
        } else {
            router.into()
        };
        let sender = if by_backend { scene.sent.destination } else { router };
        let kind = if v4 { kind4 } else { kind6 };
        // As the kernel has it: at least the ports are there.
        let l4 = read(&Bytes(scene.sent.bytes())).l4 as usize - 14;
        let keep = keep.max(l4 + 8);
        // Of half a checksum nobody can make anything, and it stays as it is.
        prop_assume!(keep != l4 + 17);
        let error = Packet::error(sender, &scene.sent, kind, [0, 0, 5, 0]).keeping(keep);
        let frame = told(&error, &scene.reply());
        let shown = if sender == scene.sent.destination {
            scene.asked.destination
        } else {
            sender
        };
        let right = Packet::error(shown, &scene.asked, kind, [0, 0, 5, 0]).keeping(keep);
        prop_assert_eq!(&frame.0, &right.bytes());
        oracle::check(&frame.0).unwrap();
        // And back again.
        let forward = flow(from, to);
        let back = told(&right, &Flow {
            source: forward.destination,
            destination: forward.source,
            source_port_be: forward.destination_port_be,
            destination_port_be: forward.source_port_be,
            ..forward
        });
        if shown == scene.asked.destination && sender == scene.sent.destination
            || shown == sender && shown != scene.asked.destination
        {
            prop_assert_eq!(back.0, error.bytes());
        }
    }

    #[test]
    fn its_key_is_that_of_the_other_direction((asked, from, to) in arbitrary::translation()) {
        let scene = Scene::new(asked, from, to);
        let error = Packet::too_big(to.ip(), &scene.sent).keeping(1000);
        let frame = Bytes(error.bytes());
        let about = About::of(&frame, &read(&frame)).unwrap();
        let mut answer = scene.sent.answer();
        answer.extensions.clear();
        prop_assert_eq!(about.key(), key(&answer));
    }

    #[test]
    fn cut_anywhere_it_is_none_or_harmless((asked, from, to) in arbitrary::translation()) {
        let scene = Scene::new(asked, from, to);
        let bytes = Packet::too_big(to.ip(), &scene.sent).keeping(1000).bytes();
        for length in 0..bytes.len() {
            let mut frame = Bytes(bytes[..length].to_vec());
            let Parsed::Ip(headers) = parse(&frame) else { continue };
            if let Some(about) = About::of(&frame, &headers) {
                let _ = about.translate(&mut frame, &headers, &scene.reply());
            }
            prop_assert_eq!(frame.0.len(), length);
        }
    }

    #[test]
    fn noise_within_is_harmless(noise in arbitrary::noise(), v4 in any::<bool>(), kind in 0..5_u8) {
        let (from, to) = if v4 { ("192.0.2.1", "10.0.0.1") } else { ("fd00::1", "fd00::2") };
        let body = ::tests::packet::Body::Icmp {
            kind: (if v4 { kind + 1 } else { kind }, 0),
            rest: [0; 4],
            data: noise.get(14..).unwrap_or_default().to_vec(),
        };
        let packet = Packet::of(from.parse().unwrap(), to.parse().unwrap(), body);
        let mut frame = Bytes(packet.bytes());
        let headers = read(&frame);
        if let Some(about) = About::of(&frame, &headers) {
            let flow = Flow {
                source: headers.source,
                destination: headers.destination,
                ..Flow::default()
            };
            let _ = about.translate(&mut frame, &headers, &flow);
        }
        prop_assert_eq!(frame.0.len(), packet.bytes().len());
    }
}

fn sent(v4: bool) -> Packet {
    let (from, to) = if v4 {
        ("192.0.2.10:1024", "10.244.0.2:8080")
    } else {
        ("[2001:db8::10]:1024", "[fd00:244::2]:8080")
    };
    Packet::new(Protocol::Udp, from.parse().unwrap(), to.parse().unwrap()).data([3; 64])
}

fn about(packet: &Packet) -> Option<About> {
    let frame = Bytes(packet.bytes());
    About::of(&frame, &read(&frame))
}

#[test]
fn only_errors_are_about_something() {
    for v4 in [true, false] {
        let sent = sent(v4);
        for kind in 0..=255 {
            let packet = Packet::error(sent.destination, &sent, (kind, 0), [0; 4]);
            let is_error = match v4 {
                true => [3, 4, 11, 12].contains(&kind),
                false => (1..=4).contains(&kind),
            };
            assert_eq!(about(&packet).is_some(), is_error, "type {kind}");
        }
    }
}

#[test]
fn what_cannot_be_translated_is_about_nothing() {
    for v4 in [true, false] {
        let sent = sent(v4);
        let router = sent.destination;
        let echo = Packet::echo(sent.source, sent.destination);
        assert_eq!(about(&Packet::too_big(router, &echo)), None, "no ports");
        let later = sent.clone().part(1, 16, 16);
        assert_eq!(about(&Packet::too_big(router, &later)), None, "a part");
        let first = sent.clone().part(1, 0, 16);
        assert!(about(&Packet::too_big(router, &first)).is_some());
        let error = Packet::too_big(router, &sent);
        assert_eq!(about(&error.clone().part(2, 0, 40)), None, "in parts");
        let l4 = if v4 { 20 } else { 40 };
        assert_eq!(about(&error.clone().keeping(l4 + 3)), None, "no ports kept");
        assert!(about(&error.keeping(l4 + 4)).is_some());
    }
}

#[test]
fn extension_headers_within_are_gone_through() {
    let long = sent(false).extensions(&[
        Extension::HopByHop(0),
        Extension::Routing(2),
        Extension::Destination(1),
    ]);
    let error = Packet::too_big("2001:db8::1".parse().unwrap(), &long).keeping(1000);
    let about = about(&error).unwrap();
    assert_eq!(about.ports, (1024_u16.to_be(), 8080_u16.to_be()));
}
