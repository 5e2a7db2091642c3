//! Packets in parts, and packets with options or extension headers.

use abi::Verdict::{
    PacketForward, PacketOpened, PacketOrphan, PacketOther, PacketReply, PacketToTc,
};
use anyhow::Result;
use tests::packet::Protocol::{Sctp, Tcp, Udp};
use tests::packet::{Extension, Packet, Protocol};

use crate::rig::{Device, Hook, Out, Rig};
use crate::sent;
use crate::world::{CLIENT, FAMILIES, Family, LAN, NODE2, PORT, TWO, WEB, at};

const OUTSIDE: Hook = Hook::Outside(Device::Lan);
const XDP: Hook = Hook::Xdp(Device::Lan);

pub fn cases(rig: &mut Rig) -> Result<()> {
    for it in FAMILIES {
        for (protocol, port, backend) in [(Udp, 53, 5353), (Tcp, 80, 8080), (Sctp, 9, 9)] {
            there_and_back(rig, it, protocol, port, backend)?;
            by_xdp(rig, it, protocol, port, backend)?;
        }
        between_pods(rig, it)?;
        orphans(rig, it)?;
        mixed_up(rig, it)?;
        tiny(rig, it)?;
    }
    extended(rig)
}

/// A datagram in three parts.
fn parts(whole: &Packet, id: u32) -> [Packet; 3] {
    let part = |from, length| whole.clone().part(id, from, length);
    [part(0, 40), part(40, 64), part(104, 1000)]
}

fn there_and_back(
    rig: &mut Rig,
    it: Family,
    protocol: Protocol,
    port: u16,
    backend: u16,
) -> Result<()> {
    rig.forget()?;
    let (vip, backend) = (at(it.vip(1), port), at(it.web(), backend));
    let whole = Packet::new(protocol, at(it.client(), 4000), vip).data([6; 200]);
    let [first, middle, last] = parts(&whole, 0x1357);
    let out = sent(&first, at(it.own(), 0), backend, [WEB, PORT]);
    rig.case(
        "the first part",
        OUTSIDE,
        &first,
        PacketOpened,
        Out::SentAsNode(out),
    );
    for (what, part) in [
        ("a middle part", &middle),
        ("the last", &last),
        ("a part again", &middle),
    ] {
        let out = sent(part, at(it.own(), rig.snat), backend, [WEB, PORT]);
        rig.case(what, OUTSIDE, part, PacketForward, Out::Sent(out));
    }
    let answer = Packet::new(protocol, backend, at(it.own(), rig.snat)).data([7; 300]);
    for part in parts(&answer, 0x2468) {
        let out = sent(&part, vip, at(it.client(), 4000), [CLIENT, LAN]);
        rig.case(
            "a part of the answer",
            Hook::Pod,
            &part,
            PacketReply,
            Out::Sent(out),
        );
    }
    // Of the same datagram's identification, but another sender.
    let [_, other, _] = parts(&whole.from(at(it.far_client(), 4000)), 0x1357);
    rig.case(
        "another's part",
        OUTSIDE,
        &other,
        PacketOrphan,
        Out::Dropped,
    );
    Ok(())
}

/// Parts of one datagram, at the hook before.
fn by_xdp(rig: &mut Rig, it: Family, protocol: Protocol, port: u16, backend: u16) -> Result<()> {
    rig.forget()?;
    let (vip, backend) = (at(it.vip(2), port), at(it.far(), backend));
    let whole = Packet::new(protocol, at(it.client(), 4000), vip).data([6; 200]);
    let [first, middle, last] = parts(&whole, 0x1357);
    let out = sent(&first, at(it.node(), 0), backend, [NODE2, LAN]);
    rig.case(
        "the first part",
        XDP,
        &first,
        PacketOpened,
        Out::SentAsNode(out),
    );
    for (hook, part) in [(XDP, &middle), (OUTSIDE, &middle), (XDP, &last)] {
        let out = sent(part, at(it.node(), rig.snat), backend, [NODE2, LAN]);
        rig.case("the next", hook, part, PacketForward, Out::Sent(out));
    }
    let [_, orphan, _] = parts(&whole, 0x9999);
    rig.case(
        "one of another datagram",
        XDP,
        &orphan,
        PacketOrphan,
        Out::Dropped,
    );
    // To a pod: left to tc, part by part.
    let whole = whole.to(at(it.vip(1), port));
    let [first, middle, _] = parts(&whole, 0x1357);
    rig.case(
        "the first part to a pod",
        XDP,
        &first,
        PacketToTc,
        Out::Same,
    );
    let out = sent(
        &first,
        at(it.own(), 0),
        at(it.web(), backend.port()),
        [WEB, PORT],
    );
    rig.case(
        "the first part to a pod",
        OUTSIDE,
        &first,
        PacketOpened,
        Out::SentAsNode(out),
    );
    rig.case("the next to a pod", XDP, &middle, PacketToTc, Out::Same);
    Ok(())
}

fn between_pods(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    let (client, vip, backend) = (at(it.two(), 5), at(it.vip(1), 53), at(it.web(), 5353));
    let whole = Packet::new(Udp, client, vip).data([6; 200]);
    let [first, middle, last] = parts(&whole, 1);
    let out = |part: &Packet| Out::Sent(sent(part, client, backend, [WEB, PORT]));
    rig.case(
        "the first of a pod",
        Hook::Pod,
        &first,
        PacketOpened,
        out(&first),
    );
    rig.case(
        "the middle of a pod",
        Hook::Pod,
        &middle,
        PacketForward,
        out(&middle),
    );
    rig.case(
        "the last of a pod",
        Hook::Pod,
        &last,
        PacketForward,
        out(&last),
    );
    for part in parts(&Packet::new(Udp, backend, client).data([7; 200]), 2) {
        let out = sent(&part, vip, client, [TWO, PORT]);
        rig.case(
            "of the answer",
            Hook::Pod,
            &part,
            PacketReply,
            Out::Sent(out),
        );
    }
    Ok(())
}

/// Parts whose first one was not seen: dropped if a Service has the address.
fn orphans(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    for protocol in [Udp, Tcp, Sctp] {
        let whole = Packet::new(protocol, at(it.client(), 4000), at(it.vip(1), 53)).data([6; 200]);
        let [_, middle, last] = parts(&whole, 3);
        for part in [&middle, &last] {
            rig.both("an orphan", part, PacketOrphan, Out::Dropped, true);
            let of_pod = part.clone().from(at(it.two(), 4000));
            rig.case(
                "a pod's orphan",
                Hook::Pod,
                &of_pod,
                PacketOrphan,
                Out::Dropped,
            );
        }
        let node = middle.to(at(it.node(), 30_053));
        rig.both("an orphan to the node", &node, PacketOther, Out::Same, true);
        let nobody = last.to(at(it.far(), 53));
        rig.both("an orphan to nobody", &nobody, PacketOther, Out::Same, true);
    }
    Ok(())
}

/// A first part that has ports and no checksum: it cannot be translated, so none of the datagram gets through.
fn tiny(rig: &mut Rig, it: Family) -> Result<()> {
    let malformed = abi::Verdict::PacketMalformed;
    for (protocol, port, right) in [(Tcp, 80, false), (Udp, 53, true), (Sctp, 9, true)] {
        let whole = Packet::new(protocol, at(it.client(), 4000), at(it.vip(2), port)).data([6; 99]);
        let first = whole.clone().part(5, 0, 8);
        let backend = if protocol == Sctp { 9 } else { 5353 };
        let out = sent(
            &first,
            at(it.node(), 0),
            at(it.far(), backend),
            [NODE2, LAN],
        );
        if right {
            let out = Out::SentAsNode(out);
            rig.both(
                "a first part of eight bytes",
                &first,
                PacketOpened,
                out,
                true,
            );
        } else {
            rig.both(
                "a first part of eight bytes",
                &first,
                malformed,
                Out::Dropped,
                true,
            );
        }
    }
    rig.forget()
}

/// Two datagrams of one sender at once, their parts mixed.
fn mixed_up(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    let of = |port, id| {
        let client = at(it.client(), port);
        parts(
            &Packet::new(Udp, client, at(it.vip(2), 53)).data([6; 200]),
            id,
        )
    };
    let (one, two) = (of(4000, 10), of(4001, 11));
    let backend = at(it.far(), 5353);
    let mut own = [0; 2];
    for (n, first) in [&one[0], &two[0]].into_iter().enumerate() {
        let out = sent(first, at(it.node(), 0), backend, [NODE2, LAN]);
        rig.case(
            "two first ones",
            OUTSIDE,
            first,
            PacketOpened,
            Out::SentAsNode(out),
        );
        own[n] = rig.snat;
    }
    for (n, part) in [(1, &two[2]), (0, &one[1]), (1, &two[1]), (0, &one[2])] {
        let out = sent(part, at(it.node(), own[n]), backend, [NODE2, LAN]);
        rig.case(
            "each to its own",
            OUTSIDE,
            part,
            PacketForward,
            Out::Sent(out),
        );
    }
    // One that is whole though it has a fragment header (RFC 6946), or is the only one.
    let whole = Packet::new(Udp, at(it.client(), 4002), at(it.vip(2), 53)).part(9, 0, 1000);
    let out = sent(&whole, at(it.node(), 0), backend, [NODE2, LAN]);
    rig.both(
        "an atomic fragment",
        &whole,
        PacketOpened,
        Out::SentAsNode(out),
        true,
    );
    Ok(())
}

/// Options of IPv4, extension headers of IPv6.
fn extended(rig: &mut Rig) -> Result<()> {
    use Extension::{Authentication, Destination, Fragment, HopByHop, Routing};
    let [v4, v6] = FAMILIES;
    let rows: [&[Extension]; 10] = [
        &[HopByHop(0)],
        &[Destination(0)],
        &[Routing(0)],
        &[Routing(4)],
        &[Authentication(3)],
        &[
            HopByHop(1),
            Destination(1),
            Routing(2),
            Authentication(5),
            Destination(0),
        ],
        &[HopByHop(0), Fragment, Destination(0)],
        &[Destination(20)],
        &[Destination(0); 7],
        &[HopByHop(0), Destination(0)],
    ];
    let ports = [(Tcp, 80, 8080), (Udp, 53, 5353), (Sctp, 9, 9)];
    for (protocol, port, backend) in ports {
        for extensions in rows {
            let packet = Packet::new(protocol, at(v6.client(), 4000), at(v6.vip(2), port));
            let mut packet = packet.extensions(extensions);
            if extensions.contains(&Fragment) {
                packet = packet.part(5, 0, 1000);
            }
            let out = sent(
                &packet,
                at(v6.node(), 0),
                at(v6.far(), backend),
                [NODE2, LAN],
            );
            let what = format!("{extensions:?}");
            rig.both(&what, &packet, PacketOpened, Out::SentAsNode(out), true);
        }
        for words in 1..=10 {
            let packet = Packet::new(protocol, at(v4.client(), 4000), at(v4.vip(2), port))
                .options(&[1].repeat(words * 4));
            let out = sent(
                &packet,
                at(v4.node(), 0),
                at(v4.far(), backend),
                [NODE2, LAN],
            );
            let what = format!("{words} words of options");
            rig.both(&what, &packet, PacketOpened, Out::SentAsNode(out), true);
        }
    }
    // More than there can be, and no next header at all.
    let packet = Packet::new(Tcp, at(v6.client(), 4000), at(v6.vip(2), 80));
    let many = packet.clone().extensions(&[Destination(0); 8]);
    let malformed = abi::Verdict::PacketMalformed;
    rig.both("eight extension headers", &many, malformed, Out::Same, true);
    let data = vec![];
    let none = tests::packet::Body::Other { protocol: 59, data };
    let none = Packet::of(v6.client(), v6.vip(2), none);
    let rejected = abi::Verdict::PacketRejected;
    rig.both("no next header", &none, rejected, Out::Refused, true);
    rig.forget()
}
