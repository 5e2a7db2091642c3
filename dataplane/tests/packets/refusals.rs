//! Packets that nobody answers: rejected, dropped, or the node's own.

use abi::Verdict::{BackendMissing, PacketDropped, PacketOther, PacketRejected};
use abi::{Frontend, Node, Service};
use anyhow::Result;
use tests::packet::Protocol::{Sctp, Tcp, Udp};
use tests::packet::{Body, Packet, Protocol};

use crate::rig::{Hook, Out, Rig};
use crate::world::{FAMILIES, Family, at};

pub fn cases(rig: &mut Rig) -> Result<()> {
    for family in FAMILIES {
        nobody_answers(rig, family);
    }
    without_rules(rig)?;
    missing(rig)
}

/// Rejected, dropped, and what the node itself may have.
fn nobody_answers(rig: &mut Rig, it: Family) {
    let pod = |rig: &mut Rig, what: &str, packet: &Packet, verdict, out: Out| {
        rig.case(
            what,
            Hook::Pod,
            &packet.clone().from(at(it.two(), 4000)),
            verdict,
            out,
        );
    };
    let to = |protocol: Protocol, port| {
        Packet::new(protocol, at(it.client(), 4000), at(it.vip(4), port))
    };
    let gre = Body::Other {
        protocol: 47,
        data: vec![0; 16],
    };
    let rows = [
        ("no backends", to(Tcp, 80), PacketRejected, Out::Refused),
        (
            "no backends, dropped",
            to(Tcp, 81),
            PacketDropped,
            Out::Dropped,
        ),
        (
            "no backends, the node's",
            to(Tcp, 82),
            PacketOther,
            Out::Same,
        ),
        (
            "another port of the address",
            to(Tcp, 443),
            PacketRejected,
            Out::Refused,
        ),
        (
            "another protocol of the port",
            to(Udp, 80),
            PacketRejected,
            Out::Refused,
        ),
        (
            "SCTP to the address",
            to(Sctp, 80),
            PacketRejected,
            Out::Refused,
        ),
        (
            "an ACK to another port",
            to(Tcp, 443).flags(16),
            PacketRejected,
            Out::Refused,
        ),
        (
            "an echo to the address",
            Packet::echo(it.client(), it.vip(4)),
            PacketRejected,
            Out::Refused,
        ),
        (
            "GRE to the address",
            Packet::of(it.client(), it.vip(4), gre),
            PacketRejected,
            Out::Refused,
        ),
    ];
    for (what, packet, verdict, out) in rows {
        rig.both(what, &packet, verdict, out.clone(), true);
        pod(rig, what, &packet, verdict, out);
    }
    let none = Packet::new(Tcp, at(it.client(), 4000), at(it.lb(2), 82));
    rig.both("none outside", &none, PacketDropped, Out::Dropped, true);
    let none = Packet::new(Tcp, at(it.two(), 4000), at(it.lb(2), 83));
    rig.case(
        "none inside",
        Hook::Pod,
        &none,
        PacketRejected,
        Out::Refused,
    );
}

/// A node without rules for what it refuses drops it.
fn without_rules(rig: &mut Rig) -> Result<()> {
    rig.change_node(|node| node.flags &= !Node::REFUSES)?;
    for it in FAMILIES {
        let packet = Packet::new(Tcp, at(it.client(), 4000), at(it.vip(4), 80));
        rig.both(
            "no backends, no rules",
            &packet,
            PacketRejected,
            Out::Dropped,
            true,
        );
        let echo = Packet::echo(it.client(), it.vip(4));
        rig.both(
            "an echo, no rules",
            &echo,
            PacketRejected,
            Out::Dropped,
            true,
        );
    }
    rig.change_node(|node| node.flags |= Node::REFUSES)
}

/// What userspace never writes: a frontend whose backend is not there.
fn missing(rig: &mut Rig) -> Result<()> {
    for it in FAMILIES {
        let frontend = Frontend {
            address: it.vip(200).into(),
            port_be: 80_u16.to_be(),
            protocol: 6,
            pad: 0,
        };
        for maglev in [0, 251] {
            let service = Service {
                port_id: 9999,
                outside_set: 9999,
                outside_count: 1,
                outside_maglev: maglev,
                ..Service::default()
            };
            rig.put_service(frontend, service)?;
            let packet = Packet::new(Tcp, at(it.client(), 4000), at(it.vip(200), 80));
            rig.both(
                "no entry of the backend",
                &packet,
                BackendMissing,
                Out::Dropped,
                true,
            );
        }
    }
    Ok(())
}
