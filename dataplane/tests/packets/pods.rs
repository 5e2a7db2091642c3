//! First packets of pods.

use abi::Verdict::{PacketOpened, PacketReply};
use anyhow::Result;
use tests::packet::Packet;
use tests::packet::Protocol::{Sctp, Tcp, Udp};

use crate::rig::{Device, Hook, Out, Rig};
use crate::sent;
use crate::world::{CLIENT, FAMILIES, Family, LAN, NODE2, NODE3, PORT, WAN, WEB, at};

pub fn cases(rig: &mut Rig) -> Result<()> {
    for family in FAMILIES {
        from_pods(rig, family)?;
        behind_a_bridge(rig, family)?;
    }
    Ok(())
}

/// Pods keep their address, but where a backend is its own client.
fn from_pods(rig: &mut Rig, it: Family) -> Result<()> {
    let rows = [
        (
            "to a pod",
            Tcp,
            it.vip(1),
            80,
            at(it.web(), 8080),
            [WEB, PORT],
        ),
        (
            "to a pod, UDP",
            Udp,
            it.vip(1),
            53,
            at(it.web(), 5353),
            [WEB, PORT],
        ),
        (
            "to a pod, SCTP",
            Sctp,
            it.vip(1),
            9,
            at(it.web(), 9),
            [WEB, PORT],
        ),
        (
            "to another node",
            Tcp,
            it.vip(2),
            80,
            at(it.far(), 8080),
            [NODE2, LAN],
        ),
        (
            "to another node, UDP",
            Udp,
            it.vip(2),
            53,
            at(it.far(), 5353),
            [NODE2, LAN],
        ),
        (
            "by another device",
            Tcp,
            it.vip(3),
            80,
            at(it.wide(), 8080),
            [NODE3, WAN],
        ),
        (
            "by a NodePort",
            Tcp,
            it.node(),
            30_080,
            at(it.web(), 8080),
            [WEB, PORT],
        ),
        (
            "by a load balancer's address",
            Tcp,
            it.lb(1),
            80,
            at(it.web(), 8080),
            [WEB, PORT],
        ),
        (
            "a local policy, from inside",
            Tcp,
            it.lb(2),
            80,
            at(it.far(), 8080),
            [NODE2, LAN],
        ),
        (
            "none outside, but it is inside",
            Tcp,
            it.lb(2),
            82,
            at(it.web(), 8080),
            [WEB, PORT],
        ),
        (
            "to a client's machine",
            Tcp,
            it.vip(7),
            82,
            at(it.client(), 8080),
            [CLIENT, LAN],
        ),
    ];
    for (what, protocol, vip, port, backend, way) in rows {
        rig.forget()?;
        let packet = Packet::new(protocol, at(it.two(), 5000), at(vip, port));
        let out = Out::Sent(sent(&packet, at(it.two(), 5000), backend, way));
        rig.case(what, Hook::Pod, &packet, PacketOpened, out);
    }
    for (protocol, port, backend) in [(Tcp, 80, 8080), (Udp, 53, 5353), (Sctp, 9, 9)] {
        rig.forget()?;
        let packet = Packet::new(protocol, at(it.web(), 5000), at(it.vip(1), port));
        let out = sent(&packet, at(it.own(), 0), at(it.web(), backend), [WEB, PORT]);
        rig.case(
            "hairpin",
            Hook::Pod,
            &packet,
            PacketOpened,
            Out::SentAsNode(out),
        );
        let packet = packet
            .answer()
            .from(at(it.web(), backend))
            .to(at(it.own(), rig.snat));
        let out = sent(
            &packet,
            at(it.vip(1), port),
            at(it.web(), 5000),
            [WEB, PORT],
        );
        let verdict = abi::Verdict::PacketReply;
        rig.case(
            "and its answer",
            Hook::Pod,
            &packet,
            verdict,
            Out::Sent(out),
        );
    }
    rig.forget()
}

/// Where the backend is behind the device that the client's packet came by, as on a bridge, its answer would not come
/// by here: it is asked in the node's name.
fn behind_a_bridge(rig: &mut Rig, it: Family) -> Result<()> {
    let hook = Hook::PodBy(Device::Lan);
    for (protocol, port, backend) in [(Tcp, 80, 8080), (Udp, 53, 5353), (Sctp, 9, 9)] {
        rig.forget()?;
        let (client, vip) = (at(it.far_pod(9), 5000), at(it.vip(2), port));
        let backend = at(it.far(), backend);
        let packet = Packet::new(protocol, client, vip);
        let out = sent(&packet, at(it.node(), 0), backend, [NODE2, LAN]);
        rig.case(
            "by one bridge",
            hook,
            &packet,
            PacketOpened,
            Out::SentAsNode(out),
        );
        let answer = Packet::new(protocol, backend, at(it.node(), rig.snat));
        let out = sent(&answer, vip, client, [NODE2, LAN]);
        rig.case("and its answer", hook, &answer, PacketReply, Out::Sent(out));
    }
    let packet = Packet::new(Tcp, at(it.far_pod(9), 5000), at(it.vip(1), 80));
    let out = sent(
        &packet,
        at(it.far_pod(9), 5000),
        at(it.web(), 8080),
        [WEB, PORT],
    );
    rig.case(
        "to a routed port",
        hook,
        &packet,
        PacketOpened,
        Out::Sent(out),
    );
    let packet = Packet::new(Tcp, at(it.far_pod(9), 5000), at(it.vip(3), 80));
    let out = sent(
        &packet,
        at(it.far_pod(9), 5000),
        at(it.wide(), 8080),
        [NODE3, WAN],
    );
    rig.case(
        "to another device",
        hook,
        &packet,
        PacketOpened,
        Out::Sent(out),
    );
    rig.forget()
}
