//! ICMP errors about packets of a flow, in both directions: translated inside and out, for whoever had sent the packet.

use abi::Verdict::{
    PacketError, PacketExpired, PacketLocal, PacketOpened, PacketOther, PacketRejected, PacketToTc,
};
use anyhow::Result;
use tests::packet::Protocol::{Sctp, Tcp, Udp};
use tests::packet::{ACK, Extension, Packet, Protocol};

use crate::rig::{Device, Hook, Out, Rig};
use crate::sent;
use crate::world::{CLIENT, FAMILIES, Family, LAN, NODE2, PORT, TWO, WEB, at};

const OUTSIDE: Hook = Hook::Outside(Device::Lan);
const XDP: Hook = Hook::Xdp(Device::Lan);

pub fn cases(rig: &mut Rig) -> Result<()> {
    for it in FAMILIES {
        for protocol in [Tcp, Udp, Sctp] {
            let far = Talk::far(rig, it, protocol)?;
            about_what_was_sent(rig, &far);
            about_answers(rig, &far);
            let near = Talk::near(rig, it, protocol)?;
            about_what_was_sent_to_a_pod(rig, &near);
        }
        kinds(rig, it)?;
        cut(rig, it)?;
        inside(rig, it)?;
        about_nothing(rig, it)?;
        times_to_live(rig, it)?;
    }
    Ok(())
}

/// A flow of a client outside.
struct Talk {
    it: Family,
    /// What it sends, and as what that goes on.
    asked: Packet,
    sent: Packet,
    /// What the backend answers, and as what that goes on.
    answer: Packet,
    answered: Packet,
    way: [[u8; 6]; 2],
}

const PORTS: fn(Protocol) -> (u16, u16) = |protocol| match protocol {
    Tcp => (80, 8080),
    Udp => (53, 5353),
    Sctp => (9, 9),
};

impl Talk {
    fn open(
        rig: &mut Rig,
        it: Family,
        asked: Packet,
        own: std::net::IpAddr,
        backend: std::net::SocketAddr,
        way: [[u8; 6]; 2],
    ) -> Result<Self> {
        rig.forget()?;
        let out = sent(&asked, at(own, 0), backend, way);
        rig.case(
            "a flow",
            OUTSIDE,
            &asked,
            PacketOpened,
            Out::SentAsNode(out.clone()),
        );
        let sent_on = out.from(at(own, rig.snat));
        let answer = sent_on.answer().ttl(64);
        let back = asked.answer();
        let mut answered = answer.clone().macs([CLIENT, LAN]).ttl(63);
        (answered.source, answered.destination) = (back.source, back.destination);
        answered.body = back.body;
        Ok(Self {
            it,
            asked,
            sent: sent_on,
            answer,
            answered,
            way,
        })
    }

    /// To a pod of another node.
    fn far(rig: &mut Rig, it: Family, protocol: Protocol) -> Result<Self> {
        let (port, backend) = PORTS(protocol);
        let asked = Packet::new(protocol, at(it.client(), 4000), at(it.vip(2), port));
        Self::open(
            rig,
            it,
            asked,
            it.node(),
            at(it.far(), backend),
            [NODE2, LAN],
        )
    }

    /// To a pod of this one.
    fn near(rig: &mut Rig, it: Family, protocol: Protocol) -> Result<Self> {
        let (port, backend) = PORTS(protocol);
        let asked = Packet::new(protocol, at(it.client(), 4000), at(it.vip(1), port));
        Self::open(rig, it, asked, it.own(), at(it.web(), backend), [WEB, PORT])
    }

    /// What the client sent, as a router saw it: with less of its TTL.
    fn asked_late(&self) -> Packet {
        self.asked.clone().ttl(self.sent.ttl)
    }
}

/// An error as it goes on: to another, from another, about another packet.
fn told(
    error: &Packet,
    from: std::net::IpAddr,
    to: std::net::IpAddr,
    about: Packet,
    way: [[u8; 6]; 2],
) -> Out {
    Out::Sent(sent(error, at(from, 0), at(to, 0), way).about(about))
}

/// From the backend's side: to the node, which had sent the packet; the client had.
fn about_what_was_sent(rig: &mut Rig, talk: &Talk) {
    let it = talk.it;
    let rows = [
        ("a router's, about what was sent", it.router(), it.router()),
        ("the backend's", it.far(), it.vip(2)),
    ];
    for (what, from, shown) in rows {
        let error = Packet::too_big(from, &talk.sent);
        let out = told(&error, shown, it.client(), talk.asked_late(), [CLIENT, LAN]);
        rig.case(what, XDP, &error, PacketError, out.clone());
        rig.case(what, OUTSIDE, &error, PacketError, out);
    }
}

/// From the client's side: to the Service's address, which the answer was from; the backend had sent it.
fn about_answers(rig: &mut Rig, talk: &Talk) {
    let it = talk.it;
    let answer = talk.answer.clone().ttl(63);
    let rows = [
        ("a router's, about the answer", it.router(), it.router()),
        ("the client's", it.client(), talk.sent.source),
    ];
    for (what, from, shown) in rows {
        let error = Packet::too_big(from, &talk.answered);
        let out = told(&error, shown, it.far(), answer.clone(), talk.way);
        rig.case(what, XDP, &error, PacketError, out.clone());
        rig.case(what, OUTSIDE, &error, PacketError, out);
    }
}

fn about_what_was_sent_to_a_pod(rig: &mut Rig, talk: &Talk) {
    let it = talk.it;
    let kind = if it.v4 { (3, 3) } else { (1, 4) };
    let error = Packet::error(it.web(), &talk.sent, kind, [0; 4]);
    let out = told(
        &error,
        it.vip(1),
        it.client(),
        talk.asked_late(),
        [CLIENT, LAN],
    );
    rig.case(
        "a pod's, port unreachable",
        Hook::Pod,
        &error,
        PacketError,
        out,
    );
    let error = Packet::too_big(it.router(), &talk.answered);
    let out = told(
        &error,
        it.router(),
        it.web(),
        talk.answer.clone().ttl(63),
        talk.way,
    );
    rig.case("to a pod, at XDP", XDP, &error, PacketToTc, Out::Same);
    rig.case("to a pod, too big", OUTSIDE, &error, PacketError, out);
}

/// Every error is one, and nothing else is.
fn kinds(rig: &mut Rig, it: Family) -> Result<()> {
    let talk = Talk::far(rig, it, Tcp)?;
    let kinds = if it.v4 {
        [
            (3, 0),
            (3, 1),
            (3, 4),
            (3, 13),
            (4, 0),
            (11, 0),
            (11, 1),
            (12, 0),
        ]
    } else {
        [
            (1, 0),
            (1, 1),
            (1, 4),
            (2, 0),
            (3, 0),
            (3, 1),
            (4, 0),
            (4, 1),
        ]
    };
    for kind in kinds {
        let error = Packet::error(it.router(), &talk.sent, kind, [0, 0, 5, 0]);
        let out = told(
            &error,
            it.router(),
            it.client(),
            talk.asked_late(),
            [CLIENT, LAN],
        );
        rig.case(&format!("{kind:?}"), OUTSIDE, &error, PacketError, out);
    }
    let others = if it.v4 {
        [0, 5, 8, 13]
    } else {
        [0, 128, 129, 137]
    };
    for kind in others {
        let no_error = Packet::error(it.router(), &talk.sent, (kind, 0), [0; 4]);
        let what = format!("type {kind}, to the node");
        rig.case(&what, OUTSIDE, &no_error, PacketOther, Out::Same);
    }
    Ok(())
}

/// With as little of the packet as there may be; not with half a checksum, of which nobody can make anything.
fn cut(rig: &mut Rig, it: Family) -> Result<()> {
    let headers = if it.v4 { 20 } else { 40 };
    for (protocol, kept) in [
        (Tcp, 4),
        (Tcp, 8),
        (Tcp, 16),
        (Tcp, 18),
        (Udp, 6),
        (Udp, 8),
        (Sctp, 8),
    ] {
        let talk = Talk::far(rig, it, protocol)?;
        let error = Packet::too_big(it.router(), &talk.sent).keeping(headers + kept);
        let out = told(
            &error,
            it.router(),
            it.client(),
            talk.asked_late(),
            [CLIENT, LAN],
        );
        let what = format!("{protocol:?} cut to {kept} bytes");
        rig.case(&what, OUTSIDE, &error, PacketError, out.clone());
        rig.case(&what, XDP, &error, PacketError, out);
        let none = error.keeping(headers + 3);
        rig.case("not even ports", OUTSIDE, &none, PacketOther, Out::Same);
        let none = none.keeping(headers - 1);
        rig.case(
            "not even its header",
            OUTSIDE,
            &none,
            PacketOther,
            Out::Same,
        );
    }
    Ok(())
}

/// About packets that are not plain.
fn inside(rig: &mut Rig, it: Family) -> Result<()> {
    let plain = Packet::new(Udp, at(it.client(), 4000), at(it.vip(2), 53));
    let long = if it.v4 {
        plain.clone().options(&[1; 12])
    } else {
        plain
            .clone()
            .extensions(&[Extension::HopByHop(0), Extension::Destination(2)])
    };
    let first = plain.clone().data([4; 64]).part(77, 0, 32);
    let rows = [
        ("without a checksum", plain.without_checksum()),
        ("with options or extension headers", long.clone()),
        ("a first fragment", first),
    ];
    for (what, asked) in rows {
        let to = at(it.far(), 5353);
        let talk = Talk::open(rig, it, asked, it.node(), to, [NODE2, LAN])?;
        let error = Packet::too_big(it.router(), &talk.sent);
        let out = told(
            &error,
            it.router(),
            it.client(),
            talk.asked_late(),
            [CLIENT, LAN],
        );
        rig.case(what, OUTSIDE, &error, PacketError, out.clone());
        rig.case(what, XDP, &error, PacketError, out);
    }
    // And around: the error itself has options or extension headers.
    let to = at(it.far(), 5353);
    let talk = Talk::open(rig, it, long, it.node(), to, [NODE2, LAN])?;
    let error = Packet::too_big(it.router(), &talk.sent)
        .options(&[1; 4])
        .extensions(&[Extension::Destination(0)]);
    let out = told(
        &error,
        it.router(),
        it.client(),
        talk.asked_late(),
        [CLIENT, LAN],
    );
    rig.case("around", OUTSIDE, &error, PacketError, out);
    Ok(())
}

/// About packets of no flow.
fn about_nothing(rig: &mut Rig, it: Family) -> Result<()> {
    let talk = Talk::far(rig, it, Tcp)?;
    let other = talk.sent.clone().from(at(it.node(), 3));
    let error = Packet::too_big(it.router(), &other);
    rig.case(
        "another port, to the node",
        OUTSIDE,
        &error,
        PacketOther,
        Out::Same,
    );
    rig.case(
        "another port, to the node",
        XDP,
        &error,
        PacketOther,
        Out::Same,
    );
    let other = talk.answered.clone().to(at(it.client(), 3));
    let error = Packet::too_big(it.router(), &other);
    rig.case(
        "another port, to an address",
        OUTSIDE,
        &error,
        PacketRejected,
        Out::Refused,
    );
    rig.case(
        "another port, to an address",
        XDP,
        &error,
        PacketRejected,
        Out::Refused,
    );
    let echo = Packet::echo(it.node(), it.far());
    let error = Packet::too_big(it.router(), &echo);
    rig.case("about an echo", OUTSIDE, &error, PacketOther, Out::Same);
    let later = talk.sent.clone().data([4; 64]).part(7, 32, 32);
    let error = Packet::too_big(it.router(), &later);
    rig.case(
        "about a later fragment",
        OUTSIDE,
        &error,
        PacketOther,
        Out::Same,
    );
    let error = Packet::too_big(it.router(), &talk.sent).part(7, 0, 40);
    rig.case("in fragments", OUTSIDE, &error, PacketOther, Out::Same);
    // Between pods, of no Service.
    let own = Packet::new(Tcp, at(it.two(), 1), at(it.web(), 2)).flags(ACK);
    let error = Packet::too_big(it.web(), &own);
    let out = Out::Sent(sent(&error, at(it.web(), 0), at(it.two(), 0), [TWO, PORT]));
    rig.case(
        "about a packet between pods",
        Hook::Pod,
        &error,
        PacketLocal,
        out,
    );
    Ok(())
}

fn times_to_live(rig: &mut Rig, it: Family) -> Result<()> {
    let talk = Talk::far(rig, it, Tcp)?;
    for ttl in [0, 1, 2] {
        let error = Packet::too_big(it.router(), &talk.sent).ttl(ttl);
        let (verdict, out) = if ttl < 2 {
            (PacketExpired, Out::Dropped)
        } else {
            let about = talk.asked_late();
            let out = told(&error, it.router(), it.client(), about, [CLIENT, LAN]);
            (PacketError, out)
        };
        rig.case(&format!("TTL {ttl}"), OUTSIDE, &error, verdict, out.clone());
        rig.case(&format!("TTL {ttl}"), XDP, &error, verdict, out);
    }
    Ok(())
}
