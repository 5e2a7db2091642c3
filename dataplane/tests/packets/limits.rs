//! Tables that are full, ports that are used up: new flows find no room, those that are there go on.

use abi::Verdict::{
    FlowsFull, PacketForward, PacketOpened, PacketReply, PacketToTc, PortsExhausted,
};
use anyhow::Result;
use tests::packet::Protocol::{Sctp, Tcp, Udp};
use tests::packet::{ACK, Packet};

use crate::rig::{Device, Hook, Out, Rig};
use crate::sent;
use crate::world::{CLIENT, FAMILIES, FIRST_PORT, Family, LAN, NODE2, PORT, PORT_COUNT, WEB, at};

/// Entries of the table of flows: eight flows.
pub const FLOWS: u32 = 16;

const OUTSIDE: Hook = Hook::Outside(Device::Lan);

pub fn cases(rig: &mut Rig) -> Result<()> {
    for family in FAMILIES {
        full(rig, family)?;
        one_port(rig, family)?;
        no_ports(rig, family)?;
        beside_node_ports(rig, family)?;
        sctp(rig, family)?;
    }
    Ok(())
}

fn full(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    let (vip, backend) = (at(it.vip(2), 53), at(it.far(), 5353));
    let client = |n: u16| at(it.client(), 4000 + n);
    let mut own = vec![];
    for n in 0..8 {
        let packet = Packet::new(Udp, client(n), vip);
        let out = sent(&packet, at(it.node(), 0), backend, [NODE2, LAN]);
        rig.case(
            "until it is full",
            OUTSIDE,
            &packet,
            PacketOpened,
            Out::SentAsNode(out),
        );
        own.push(rig.snat);
    }
    rig.holds("it is full", rig.flows()?.len() == FLOWS as usize);
    for (what, packet, hook) in [
        ("one more", Packet::new(Udp, client(8), vip), OUTSIDE),
        (
            "one more at XDP",
            Packet::new(Udp, client(8), vip),
            Hook::Xdp(Device::Lan),
        ),
        (
            "one more, TCP",
            Packet::new(Tcp, client(8), at(it.vip(1), 80)),
            OUTSIDE,
        ),
        (
            "one more of a pod",
            Packet::new(Udp, at(it.two(), 1), vip),
            Hook::Pod,
        ),
    ] {
        rig.case(what, hook, &packet, FlowsFull, Out::Dropped);
    }
    // To a pod, XDP leaves it to tc before it looks for room.
    let packet = Packet::new(Tcp, client(8), at(it.vip(1), 80));
    rig.case(
        "one more to a pod",
        Hook::Xdp(Device::Lan),
        &packet,
        PacketToTc,
        Out::Same,
    );
    for (n, own) in (0..).zip(&own) {
        let packet = Packet::new(Udp, client(n), vip);
        let out = sent(&packet, at(it.node(), *own), backend, [NODE2, LAN]);
        rig.case("there", OUTSIDE, &packet, PacketForward, Out::Sent(out));
        let answer = Packet::new(Udp, backend, at(it.node(), *own));
        let back = sent(&answer, vip, client(n), [CLIENT, LAN]);
        rig.case("and back", OUTSIDE, &answer, PacketReply, Out::Sent(back));
    }
    // With room for one entry there is none for a flow, and none is left half.
    let mut flows = rig.map::<abi::FlowKey, abi::Flow>(abi::names::FLOWS)?;
    let one = *rig.flows()?.keys().next().expect("it is full");
    flows.remove(&one)?;
    let packet = Packet::new(Udp, client(8), vip);
    rig.case(
        "with room for half",
        OUTSIDE,
        &packet,
        FlowsFull,
        Out::Dropped,
    );
    rig.holds(
        "nothing is left of it",
        rig.flows()?.len() == FLOWS as usize - 1,
    );
    rig.forget()?;
    let out = sent(&packet, at(it.node(), 0), backend, [NODE2, LAN]);
    rig.case(
        "with room again",
        OUTSIDE,
        &packet,
        PacketOpened,
        Out::SentAsNode(out),
    );
    rig.forget()
}

fn restore(rig: &mut Rig) -> Result<()> {
    rig.forget()?;
    rig.change_node(|node| (node.first_port, node.port_count) = (FIRST_PORT, PORT_COUNT))
}

/// One port: it serves one client for each backend, and each protocol.
fn one_port(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    rig.change_node(|node| node.port_count = 1)?;
    let far = Packet::new(Tcp, at(it.client(), 4000), at(it.vip(2), 80));
    let out = sent(
        &far,
        at(it.node(), FIRST_PORT),
        at(it.far(), 8080),
        [NODE2, LAN],
    );
    rig.case("the one port", OUTSIDE, &far, PacketOpened, Out::Sent(out));
    let other = Packet::new(Tcp, at(it.client(), 4001), at(it.vip(2), 80));
    rig.case(
        "another client",
        OUTSIDE,
        &other,
        PortsExhausted,
        Out::Dropped,
    );
    let hook = Hook::Xdp(Device::Lan);
    rig.case("another client", hook, &other, PortsExhausted, Out::Dropped);
    let flags = far.clone().flags(ACK);
    let out = sent(
        &flags,
        at(it.node(), FIRST_PORT),
        at(it.far(), 8080),
        [NODE2, LAN],
    );
    rig.case(
        "the first goes on",
        OUTSIDE,
        &flags,
        PacketForward,
        Out::Sent(out),
    );
    let web = Packet::new(Tcp, at(it.client(), 4001), at(it.vip(1), 80));
    let out = sent(
        &web,
        at(it.own(), FIRST_PORT),
        at(it.web(), 8080),
        [WEB, PORT],
    );
    rig.case(
        "another backend",
        OUTSIDE,
        &web,
        PacketOpened,
        Out::Sent(out),
    );
    let udp = Packet::new(Udp, at(it.client(), 4001), at(it.vip(2), 53));
    let out = sent(
        &udp,
        at(it.node(), FIRST_PORT),
        at(it.far(), 5353),
        [NODE2, LAN],
    );
    rig.case(
        "another protocol",
        OUTSIDE,
        &udp,
        PacketOpened,
        Out::Sent(out),
    );
    restore(rig)
}

/// None: only who keeps its address is served.
fn no_ports(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    rig.change_node(|node| node.port_count = 0)?;
    let far = Packet::new(Tcp, at(it.client(), 4000), at(it.vip(2), 80));
    rig.case("no ports", OUTSIDE, &far, PortsExhausted, Out::Dropped);
    let pod = Packet::new(Tcp, at(it.two(), 4000), at(it.vip(2), 80));
    let out = sent(&pod, at(it.two(), 4000), at(it.far(), 8080), [NODE2, LAN]);
    rig.case("none needed", Hook::Pod, &pod, PacketOpened, Out::Sent(out));
    restore(rig)
}

/// A range with a NodePort in it: that one is left out.
fn beside_node_ports(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    // 30090 of TCP is one, 30091 is none.
    rig.change_node(|node| (node.first_port, node.port_count) = (30_090, 2))?;
    for port in 4000..4016 {
        rig.forget()?;
        let packet = Packet::new(Tcp, at(it.client(), port), at(it.vip(2), 80));
        let out = sent(
            &packet,
            at(it.node(), 30_091),
            at(it.far(), 8080),
            [NODE2, LAN],
        );
        rig.case(
            "the other port",
            OUTSIDE,
            &packet,
            PacketOpened,
            Out::Sent(out),
        );
    }
    rig.change_node(|node| node.port_count = 1)?;
    rig.forget()?;
    let packet = Packet::new(Tcp, at(it.client(), 4000), at(it.vip(2), 80));
    rig.case(
        "NodePorts alone",
        OUTSIDE,
        &packet,
        PortsExhausted,
        Out::Dropped,
    );
    let packet = Packet::new(Udp, at(it.client(), 4000), at(it.vip(2), 53));
    let out = sent(
        &packet,
        at(it.node(), 30_090),
        at(it.far(), 5353),
        [NODE2, LAN],
    );
    rig.case(
        "of TCP, not UDP",
        OUTSIDE,
        &packet,
        PacketOpened,
        Out::Sent(out),
    );
    restore(rig)
}

/// SCTP keeps its port: two clients with the same one cannot both have it.
fn sctp(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    let by = |client, port| Packet::new(Sctp, at(client, port), at(it.vip(2), 9));
    let one = by(it.client(), 4000);
    let out = sent(&one, at(it.node(), 4000), at(it.far(), 9), [NODE2, LAN]);
    rig.case(
        "SCTP keeps its port",
        OUTSIDE,
        &one,
        PacketOpened,
        Out::Sent(out),
    );
    let same = by(it.far_client(), 4000);
    rig.case(
        "which another has",
        OUTSIDE,
        &same,
        PortsExhausted,
        Out::Dropped,
    );
    let other = by(it.far_client(), 4001);
    let out = sent(&other, at(it.node(), 4001), at(it.far(), 9), [NODE2, LAN]);
    rig.case(
        "and with its own",
        OUTSIDE,
        &other,
        PacketOpened,
        Out::Sent(out),
    );
    rig.forget()
}
