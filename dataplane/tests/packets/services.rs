//! First packets from outside: what becomes of them by Service, protocol and way.

use abi::Verdict::{PacketOpened, PacketUnsupported};
use anyhow::Result;
use tests::packet::Packet;
use tests::packet::Protocol::{Sctp, Tcp, Udp};

use crate::rig::{Device, Hook, Out, Rig};
use crate::sent;
use crate::world::{FAMILIES, Family, LAN, NODE2, NODE3, PORT, WAN, WEB, at};

const OUTSIDE: Hook = Hook::Outside(Device::Lan);

pub fn cases(rig: &mut Rig) -> Result<()> {
    for family in FAMILIES {
        from_outside(rig, family);
        kept_sources(rig, family);
    }
    Ok(())
}

/// Clients outside are given the node's address and a port of its own.
fn from_outside(rig: &mut Rig, it: Family) {
    let (own, node, wan) = (at(it.own(), 0), at(it.node(), 0), at(it.wan(), 0));
    let pod = [WEB, PORT];
    let (lan, wide) = ([NODE2, LAN], [NODE3, WAN]);
    let rows = [
        (
            "ClusterIP, TCP",
            Tcp,
            at(it.vip(1), 80),
            at(it.web(), 8080),
            own,
            pod,
            false,
        ),
        (
            "ClusterIP, UDP",
            Udp,
            at(it.vip(1), 53),
            at(it.web(), 5353),
            own,
            pod,
            false,
        ),
        (
            "ClusterIP, SCTP",
            Sctp,
            at(it.vip(1), 9),
            at(it.web(), 9),
            own,
            pod,
            false,
        ),
        (
            "NodePort, TCP",
            Tcp,
            at(it.node(), 30_080),
            at(it.web(), 8080),
            own,
            pod,
            false,
        ),
        (
            "NodePort, UDP",
            Udp,
            at(it.node(), 30_053),
            at(it.web(), 5353),
            own,
            pod,
            false,
        ),
        (
            "load balancer, TCP",
            Tcp,
            at(it.lb(1), 80),
            at(it.web(), 8080),
            own,
            pod,
            false,
        ),
        (
            "to another node, TCP",
            Tcp,
            at(it.vip(2), 80),
            at(it.far(), 8080),
            node,
            lan,
            true,
        ),
        (
            "to another node, UDP",
            Udp,
            at(it.vip(2), 53),
            at(it.far(), 5353),
            node,
            lan,
            true,
        ),
        (
            "to another node, SCTP",
            Sctp,
            at(it.vip(2), 9),
            at(it.far(), 9),
            node,
            lan,
            true,
        ),
        (
            "NodePort to another node",
            Tcp,
            at(it.node(), 30_090),
            at(it.far(), 8080),
            node,
            lan,
            true,
        ),
        (
            "NodePort to another node, UDP",
            Udp,
            at(it.node(), 30_054),
            at(it.far(), 5353),
            node,
            lan,
            true,
        ),
        (
            "by another device",
            Tcp,
            at(it.vip(3), 80),
            at(it.wide(), 8080),
            wan,
            wide,
            false,
        ),
        (
            "by another device, UDP",
            Udp,
            at(it.vip(3), 53),
            at(it.wide(), 53),
            wan,
            wide,
            false,
        ),
    ];
    for client in [it.client(), it.far_client()] {
        for (what, protocol, vip, backend, from, way, xdp) in rows {
            let packet = Packet::new(protocol, at(client, 4000), vip);
            let out = Out::SentAsNode(sent(&packet, from, backend, way));
            rig.both(what, &packet, PacketOpened, out, xdp);
        }
    }
    for (vip, backend, from, way, xdp) in [
        (at(it.vip(1), 53), at(it.web(), 5353), own, pod, false),
        (at(it.vip(2), 53), at(it.far(), 5353), node, lan, true),
    ] {
        let packet = Packet::new(Udp, at(it.client(), 4000), vip).without_checksum();
        let out = Out::SentAsNode(sent(&packet, from, backend, way));
        rig.both("UDP without a checksum", &packet, PacketOpened, out, xdp);
    }
    let packet = Packet::new(Sctp, at(it.client(), 4000), at(it.vip(1), 10));
    let _ = rig.forget();
    rig.case(
        "SCTP to another port",
        OUTSIDE,
        &packet,
        PacketUnsupported,
        Out::Dropped,
    );
}

/// Clients that keep their address: local backends, where the Service says so, and clients inside.
fn kept_sources(rig: &mut Rig, it: Family) {
    let rows = [
        (
            "local policy",
            it.lb(2),
            80,
            at(it.web(), 8080),
            [WEB, PORT],
        ),
        (
            "inside has none, outside is served",
            it.lb(2),
            83,
            at(it.web(), 8080),
            [WEB, PORT],
        ),
    ];
    for (what, vip, port, backend, way) in rows {
        let packet = Packet::new(Tcp, at(it.client(), 4000), at(vip, port));
        let out = if port == 83 {
            Out::SentAsNode(sent(&packet, at(it.own(), 0), backend, way))
        } else {
            Out::Sent(sent(&packet, at(it.client(), 4000), backend, way))
        };
        rig.both(what, &packet, PacketOpened, out, false);
    }
    // To a backend elsewhere the answer would not come by here.
    let packet = Packet::new(Tcp, at(it.client(), 4000), at(it.lb(2), 81));
    let out = Out::SentAsNode(sent(
        &packet,
        at(it.node(), 0),
        at(it.far(), 8080),
        [NODE2, LAN],
    ));
    rig.both(
        "a kept source, but a backend elsewhere",
        &packet,
        PacketOpened,
        out,
        true,
    );
    // From a pod of another node: inside, so the other set, and its own address.
    let packet = Packet::new(Tcp, at(it.far_pod(9), 4000), at(it.vip(1), 80));
    let out = Out::Sent(sent(
        &packet,
        at(it.far_pod(9), 4000),
        at(it.web(), 8080),
        [WEB, PORT],
    ));
    rig.both("a pod of another node", &packet, PacketOpened, out, false);
    let packet = Packet::new(Tcp, at(it.far_pod(9), 4000), at(it.vip(2), 80));
    let out = Out::SentAsNode(sent(
        &packet,
        at(it.node(), 0),
        at(it.far(), 8080),
        [NODE2, LAN],
    ));
    rig.both(
        "a pod of another node to one there",
        &packet,
        PacketOpened,
        out,
        true,
    );
    let packet = Packet::new(Tcp, at(it.far_pod(9), 4000), at(it.lb(2), 82));
    let out = Out::Sent(sent(
        &packet,
        at(it.far_pod(9), 4000),
        at(it.web(), 8080),
        [WEB, PORT],
    ));
    rig.both(
        "none outside, but it is inside",
        &packet,
        PacketOpened,
        out,
        false,
    );
}
