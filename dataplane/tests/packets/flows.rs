//! Packets after the first: there, back, and to the end of a connection.

use abi::Flow;
use abi::Verdict::{PacketForward, PacketOpened, PacketReply};
use anyhow::{Context, Result};
use tests::packet::Protocol::{Sctp, Tcp, Udp};
use tests::packet::{ACK, FIN, Packet, Protocol, RST, SYN};

use crate::rig::{Device, Hook, Out, Rig};
use crate::sent;
use crate::world::{CLIENT, FAMILIES, Family, LAN, NODE2, PORT, ROUTER, TWO, WEB, at};

const OUTSIDE: Hook = Hook::Outside(Device::Lan);

pub fn cases(rig: &mut Rig) -> Result<()> {
    for family in FAMILIES {
        there_and_back(rig, family)?;
        by_another_node(rig, family)?;
        between_pods(rig, family)?;
        ends(rig, family)?;
        opens_again(rig, family)?;
        two_addresses(rig, family)?;
        taken_over(rig, family)?;
        late_times_to_live(rig, family)?;
    }
    Ok(())
}

const PROTOCOLS: [(Protocol, u16, u16); 3] = [(Tcp, 80, 8080), (Udp, 53, 5353), (Sctp, 9, 9)];

/// A client outside and a pod of this node.
fn there_and_back(rig: &mut Rig, it: Family) -> Result<()> {
    for (client, neighbour) in [(it.client(), CLIENT), (it.far_client(), ROUTER)] {
        for (protocol, port, backend) in PROTOCOLS {
            rig.forget()?;
            let (vip, backend) = (at(it.vip(1), port), at(it.web(), backend));
            let first = Packet::new(protocol, at(client, 4000), vip);
            let out = sent(&first, at(it.own(), 0), backend, [WEB, PORT]);
            rig.case(
                "the first",
                OUTSIDE,
                &first,
                PacketOpened,
                Out::SentAsNode(out),
            );
            let own = at(it.own(), rig.snat);
            let answer = Packet::new(protocol, backend, own)
                .flags(SYN | ACK)
                .data([1; 7]);
            let out = sent(&answer, vip, at(client, 4000), [neighbour, LAN]);
            rig.case(
                "its answer",
                Hook::Pod,
                &answer,
                PacketReply,
                Out::Sent(out),
            );
            let next = first.flags(ACK).data([2; 100]).ttl(3);
            let out = sent(&next, own, backend, [WEB, PORT]);
            rig.case(
                "the next",
                OUTSIDE,
                &next,
                PacketForward,
                Out::Sent(out.clone()),
            );
            // The hook before cannot send to pods, and touches nothing.
            let left = abi::Verdict::PacketToTc;
            rig.case("the next", Hook::Xdp(Device::Lan), &next, left, Out::Same);
            rig.case("and again", OUTSIDE, &next, PacketForward, Out::Sent(out));
            let answer = answer.flags(ACK);
            let out = sent(&answer, vip, at(client, 4000), [neighbour, LAN]);
            rig.case(
                "and its answer",
                Hook::Pod,
                &answer,
                PacketReply,
                Out::Sent(out),
            );
            if protocol == Udp {
                let bare = answer.without_checksum();
                let out = sent(&bare, vip, at(client, 4000), [neighbour, LAN]);
                rig.case(
                    "without a checksum",
                    Hook::Pod,
                    &bare,
                    PacketReply,
                    Out::Sent(out),
                );
            }
        }
    }
    Ok(())
}

/// A client outside and a pod of another node: both ways by `lan`.
fn by_another_node(rig: &mut Rig, it: Family) -> Result<()> {
    for (protocol, port, backend) in PROTOCOLS {
        rig.forget()?;
        let (vip, backend) = (at(it.vip(2), port), at(it.far(), backend));
        let client = at(it.client(), 4000);
        let first = Packet::new(protocol, client, vip);
        let out = sent(&first, at(it.node(), 0), backend, [NODE2, LAN]);
        rig.case(
            "the first",
            OUTSIDE,
            &first,
            PacketOpened,
            Out::SentAsNode(out),
        );
        let answer = Packet::new(protocol, backend, at(it.node(), rig.snat)).flags(SYN | ACK);
        let out = sent(&answer, vip, client, [CLIENT, LAN]);
        rig.case(
            "its answer",
            OUTSIDE,
            &answer,
            PacketReply,
            Out::Sent(out.clone()),
        );
        rig.case(
            "its answer",
            Hook::Xdp(Device::Lan),
            &answer,
            PacketReply,
            Out::Sent(out),
        );
        let next = first.flags(ACK);
        let out = sent(&next, at(it.node(), rig.snat), backend, [NODE2, LAN]);
        rig.case(
            "the next",
            OUTSIDE,
            &next,
            PacketForward,
            Out::Sent(out.clone()),
        );
        rig.case(
            "the next",
            Hook::Xdp(Device::Lan),
            &next,
            PacketForward,
            Out::Sent(out),
        );
    }
    Ok(())
}

/// Pods keep their addresses, and get answers from whom they asked.
fn between_pods(rig: &mut Rig, it: Family) -> Result<()> {
    for (protocol, port, backend) in PROTOCOLS {
        rig.forget()?;
        let (client, vip, backend) = (at(it.two(), 5), at(it.vip(1), port), at(it.web(), backend));
        let first = Packet::new(protocol, client, vip);
        let out = sent(&first, client, backend, [WEB, PORT]);
        rig.case(
            "the first",
            Hook::Pod,
            &first,
            PacketOpened,
            Out::Sent(out.clone()),
        );
        let answer = Packet::new(protocol, backend, client).flags(SYN | ACK);
        let back = sent(&answer, vip, client, [TWO, PORT]);
        rig.case(
            "its answer",
            Hook::Pod,
            &answer,
            PacketReply,
            Out::Sent(back),
        );
        rig.case(
            "the first again",
            Hook::Pod,
            &first,
            PacketForward,
            Out::Sent(out),
        );
        // From outside to a pod: the answer of a pod elsewhere.
        let far = Packet::new(protocol, client, at(it.vip(2), port));
        let to = at(it.far(), backend.port());
        let out = sent(&far, client, to, [NODE2, LAN]);
        rig.case(
            "to another node",
            Hook::Pod,
            &far,
            PacketOpened,
            Out::Sent(out),
        );
        let answer = Packet::new(protocol, to, client).flags(SYN | ACK);
        let back = sent(&answer, at(it.vip(2), port), client, [TWO, PORT]);
        rig.case("from there", OUTSIDE, &answer, PacketReply, Out::Sent(back));
    }
    Ok(())
}

/// A TCP connection of a client to `web`, with all that is known of it.
struct Connection {
    first: Packet,
    answer: Packet,
    it: Family,
}

impl Connection {
    fn open(rig: &mut Rig, it: Family) -> Result<Self> {
        rig.forget()?;
        let first = Packet::new(Tcp, at(it.client(), 4000), at(it.vip(1), 80));
        let out = sent(&first, at(it.own(), 0), at(it.web(), 8080), [WEB, PORT]);
        rig.case(
            "a connection",
            OUTSIDE,
            &first,
            PacketOpened,
            Out::SentAsNode(out),
        );
        let answer = Packet::new(Tcp, at(it.web(), 8080), at(it.own(), rig.snat));
        Ok(Self { first, answer, it })
    }

    fn there(&self, rig: &mut Rig, what: &str, flags: u8) {
        let packet = self.first.clone().flags(flags);
        let from = at(self.it.own(), rig.snat);
        let out = sent(&packet, from, at(self.it.web(), 8080), [WEB, PORT]);
        rig.case(what, OUTSIDE, &packet, PacketForward, Out::Sent(out));
    }

    fn back(&self, rig: &mut Rig, what: &str, flags: u8) {
        let packet = self.answer.clone().flags(flags);
        let (from, to) = (at(self.it.vip(1), 80), at(self.it.client(), 4000));
        let out = sent(&packet, from, to, [CLIENT, LAN]);
        rig.case(what, Hook::Pod, &packet, PacketReply, Out::Sent(out));
    }

    /// Flags of both directions.
    fn flags(rig: &Rig) -> Result<(u32, u32)> {
        let all = rig.flows()?;
        let of = |forward| {
            let mut flows = all.values();
            flows.find(|flow| (flow.flags & Flow::FORWARD != 0) == forward)
        };
        let forward = of(true).context("no forward entry")?;
        let reply = of(false).context("no entry back")?;
        Ok((forward.flags & !Flow::FORWARD, reply.flags))
    }
}

/// FIN and RST are kept with the direction they came in.
fn ends(rig: &mut Rig, it: Family) -> Result<()> {
    let rows = [
        ("nothing", SYN, ACK, (0, 0)),
        ("the client's FIN", FIN | ACK, ACK, (Flow::FIN, 0)),
        ("the server's FIN", ACK, FIN | ACK, (0, Flow::FIN)),
        ("both FINs", FIN | ACK, FIN | ACK, (Flow::FIN, Flow::FIN)),
        ("the client's RST", RST, ACK, (Flow::RST, 0)),
        ("the server's RST", ACK, RST | ACK, (0, Flow::RST)),
        ("FIN, then RST", FIN | ACK, RST, (Flow::FIN, Flow::RST)),
    ];
    for (what, there, back, expected) in rows {
        let connection = Connection::open(rig, it)?;
        connection.there(rig, what, there);
        connection.back(rig, what, back);
        // They stay when others come.
        connection.there(rig, what, ACK);
        connection.back(rig, what, ACK);
        rig.holds(what, Connection::flags(rig)? == expected);
    }
    let entries = rig.flows()?;
    let times = entries.values().all(|flow| flow.last_ns != 0);
    rig.holds("both directions have a time", times && entries.len() == 2);
    Ok(())
}

/// A SYN over a connection that the client had closed opens another, with ports anew.
fn opens_again(rig: &mut Rig, it: Family) -> Result<()> {
    for (what, flags) in [("after FIN", FIN | ACK), ("after RST", RST)] {
        let connection = Connection::open(rig, it)?;
        connection.back(rig, what, SYN | ACK);
        connection.there(rig, what, flags);
        connection.there(rig, "an ACK that is late", ACK);
        let syn = &connection.first;
        let out = sent(syn, at(it.own(), 0), at(it.web(), 8080), [WEB, PORT]);
        rig.case(what, OUTSIDE, syn, PacketOpened, Out::SentAsNode(out));
        rig.holds(what, Connection::flags(rig)? == (0, 0));
        rig.holds("of the old one nothing is left", rig.flows()?.len() == 2);
    }
    // One that goes on stays what it is, whatever SYNs come.
    let connection = Connection::open(rig, it)?;
    connection.back(rig, "it goes on", SYN | ACK);
    connection.there(rig, "a SYN within", SYN);
    connection.there(rig, "a SYN and ACK within", SYN | ACK);
    rig.holds("two entries", rig.flows()?.len() == 2);
    Ok(())
}

/// One client port by two addresses to one backend: answers to both must not look alike.
fn two_addresses(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    let (client, backend) = (at(it.two(), 5000), at(it.web(), 8080));
    let by = |vip| Packet::new(Tcp, client, vip);
    let (one, other, third) = (at(it.vip(1), 80), at(it.lb(1), 80), at(it.node(), 30_080));
    let out = sent(&by(one), client, backend, [WEB, PORT]);
    rig.case("by one", Hook::Pod, &by(one), PacketOpened, Out::Sent(out));
    let mut seen = vec![];
    for (what, vip) in [("by another", other), ("by a third", third)] {
        let out = sent(&by(vip), at(it.own(), 0), backend, [WEB, PORT]);
        rig.case(
            what,
            Hook::Pod,
            &by(vip),
            PacketOpened,
            Out::SentAsNode(out),
        );
        seen.push((vip, rig.snat));
        let answer = Packet::new(Tcp, backend, at(it.own(), rig.snat)).flags(SYN | ACK);
        let back = sent(&answer, vip, client, [TWO, PORT]);
        rig.case(
            "its answer",
            Hook::Pod,
            &answer,
            PacketReply,
            Out::Sent(back),
        );
    }
    rig.holds("ports differ", seen[0].1 != seen[1].1);
    let answer = Packet::new(Tcp, backend, client).flags(SYN | ACK);
    let back = sent(&answer, one, client, [TWO, PORT]);
    rig.case(
        "the first's answer",
        Hook::Pod,
        &answer,
        PacketReply,
        Out::Sent(back),
    );
    Ok(())
}

/// A way back that belongs to a connection the server has closed is another's for the asking.
fn taken_over(rig: &mut Rig, it: Family) -> Result<()> {
    let (client, backend) = (at(it.two(), 5000), at(it.web(), 8080));
    for flags in [FIN | ACK, RST] {
        rig.forget()?;
        let (one, other) = (at(it.vip(1), 80), at(it.lb(1), 80));
        let first = Packet::new(Tcp, client, one);
        let out = sent(&first, client, backend, [WEB, PORT]);
        rig.case("by one", Hook::Pod, &first, PacketOpened, Out::Sent(out));
        let end = Packet::new(Tcp, backend, client).flags(flags);
        let back = sent(&end, one, client, [TWO, PORT]);
        rig.case(
            "the server ends",
            Hook::Pod,
            &end,
            PacketReply,
            Out::Sent(back),
        );
        let second = Packet::new(Tcp, client, other);
        let out = sent(&second, client, backend, [WEB, PORT]);
        rig.case(
            "by another",
            Hook::Pod,
            &second,
            PacketOpened,
            Out::Sent(out),
        );
        let answer = Packet::new(Tcp, backend, client).flags(SYN | ACK);
        let back = sent(&answer, other, client, [TWO, PORT]);
        rig.case(
            "its answer",
            Hook::Pod,
            &answer,
            PacketReply,
            Out::Sent(back),
        );
        rig.holds("of the first nothing is left", rig.flows()?.len() == 2);
    }
    Ok(())
}

/// A packet of a flow whose TTL is over is not sent on.
fn late_times_to_live(rig: &mut Rig, it: Family) -> Result<()> {
    let connection = Connection::open(rig, it)?;
    connection.back(rig, "it goes on", SYN | ACK);
    for ttl in [0, 1] {
        let expired = abi::Verdict::PacketExpired;
        let there = connection.first.clone().flags(ACK).ttl(ttl);
        rig.case("there", OUTSIDE, &there, expired, Out::Dropped);
        let back = connection.answer.clone().flags(ACK).ttl(ttl);
        rig.case("back", Hook::Pod, &back, expired, Out::Dropped);
    }
    Ok(())
}
