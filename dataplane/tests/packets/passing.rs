//! What no Service has: passed on as it is, or straight from pod to pod.

use abi::Verdict::{PacketLocal, PacketMalformed, PacketOther};
use anyhow::Result;
use tests::packet::{Body, Packet, Protocol};

use crate::rig::{Device, Hook, Out, Rig};
use crate::sent;
use crate::world::{FAMILIES, Family, PORT, TWO, at};

const HOOKS: [Hook; 6] = [
    Hook::Pod,
    Hook::Outside(Device::Lan),
    Hook::Outside(Device::Wan),
    Hook::Leaving(Device::Lan),
    Hook::Leaving(Device::Port),
    Hook::Xdp(Device::Lan),
];

pub fn cases(rig: &mut Rig) -> Result<()> {
    not_ip(rig);
    malformed(rig);
    for family in FAMILIES {
        nobodys(rig, family);
        between_pods(rig, family);
    }
    Ok(())
}

fn not_ip(rig: &mut Rig) {
    let [v4, _] = FAMILIES;
    let web = Packet::new(Protocol::Tcp, at(v4.client(), 4000), at(v4.vip(1), 80));
    let rows = [
        ("ARP", 0x0806),
        ("a VLAN", 0x8100),
        ("a VLAN in a VLAN", 0x88a8),
        ("MPLS", 0x8847),
        ("a length", 0x0100),
        ("LLDP", 0x88cc),
    ];
    for (what, kind) in rows {
        let mut frame = web.bytes();
        frame[12..14].copy_from_slice(&u16::to_be_bytes(kind));
        for hook in HOOKS {
            rig.bytes(what, hook, &frame, PacketOther, Out::Same);
        }
    }
}

fn malformed(rig: &mut Rig) {
    type Change = fn(&mut Vec<u8>);
    let rows: [(&str, Change); 6] = [
        ("an IPv4 header of four words", |it| it[14] = 0x44),
        ("an IPv4 header beyond the length", |it| it[17] = 19),
        ("IPv6 in the type of IPv4", |it| it[14] = 0x65),
        ("IPv4 in the type of IPv6", |it| it[13] = 0xdd),
        ("an IPv4 header alone, cut", |it| it.truncate(33)),
        ("a byte of IP", |it| it.truncate(15)),
    ];
    let [v4, _] = FAMILIES;
    let web = Packet::new(Protocol::Tcp, at(v4.client(), 4000), at(v4.vip(1), 80));
    for (what, change) in rows {
        let mut frame = web.bytes();
        change(&mut frame);
        if frame[13] == 0xdd {
            frame[12] = 0x86;
        }
        for hook in HOOKS {
            // The kernel itself makes no buffer of less than an IP header.
            if frame.len() < 34 && !matches!(hook, Hook::Xdp(_)) {
                continue;
            }
            let verdict = match hook {
                Hook::Leaving(_) => PacketOther,
                _ => PacketMalformed,
            };
            rig.bytes(what, hook, &frame, verdict, Out::Same);
        }
    }
}

fn nobodys(rig: &mut Rig, family: Family) {
    let client = family.client();
    let far = family.far();
    let ports = |protocol, to, port| Packet::new(protocol, at(client, 4000), at(to, port));
    let other = |protocol| {
        let data = vec![9; 24];
        Packet::of(client, far, Body::Other { protocol, data })
    };
    let rows = [
        ("TCP to nobody's address", ports(Protocol::Tcp, far, 80)),
        ("UDP to nobody's address", ports(Protocol::Udp, far, 53)),
        ("SCTP to nobody's address", ports(Protocol::Sctp, far, 9)),
        ("an echo to nobody's address", Packet::echo(client, far)),
        ("GRE", other(47)),
        ("ESP", other(50)),
        ("an unknown protocol", other(253)),
        (
            "the node's own port",
            ports(Protocol::Tcp, family.node(), 22),
        ),
        (
            "a NodePort of another protocol",
            ports(Protocol::Udp, family.node(), 30_080),
        ),
        ("an echo to the node", Packet::echo(client, family.node())),
        ("TTL 1 to nobody", ports(Protocol::Tcp, far, 80).ttl(1)),
        ("TTL 0 to nobody", ports(Protocol::Tcp, far, 80).ttl(0)),
        (
            "UDP without a checksum",
            ports(Protocol::Udp, far, 53).without_checksum(),
        ),
        (
            "a later fragment",
            ports(Protocol::Udp, far, 53).data([1; 64]).part(7, 24, 16),
        ),
    ];
    for (what, packet) in rows {
        for hook in HOOKS {
            rig.case(what, hook, &packet, PacketOther, Out::Same);
        }
    }
}

fn between_pods(rig: &mut Rig, family: Family) {
    let way = [TWO, PORT];
    for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp] {
        let (from, to) = (at(family.web(), 4000), at(family.two(), 9000));
        let packet = Packet::new(protocol, from, to);
        let out = Out::Sent(sent(&packet, from, to, way));
        rig.case("from pod to pod", Hook::Pod, &packet, PacketLocal, out);
        let late = packet.clone().ttl(2);
        let out = Out::Sent(sent(&late, from, to, way));
        rig.case("with TTL 2", Hook::Pod, &late, PacketLocal, out);
        for ttl in [0, 1] {
            // The kernel tells its sender.
            let over = packet.clone().ttl(ttl);
            rig.case("its TTL over", Hook::Pod, &over, PacketOther, Out::Same);
        }
        let outside = Hook::Outside(Device::Lan);
        rig.case(
            "from outside to a pod",
            outside,
            &packet,
            PacketOther,
            Out::Same,
        );
    }
    let echo = Packet::echo(family.web(), family.two());
    let (from, to) = (at(family.web(), 0), at(family.two(), 0));
    let out = Out::Sent(sent(&echo, from, to, way));
    rig.case(
        "an echo from pod to pod",
        Hook::Pod,
        &echo,
        PacketLocal,
        out,
    );
    let part = Packet::new(Protocol::Udp, at(family.web(), 1), at(family.two(), 2))
        .data([3; 64])
        .part(9, 24, 16);
    let out = Out::Sent(sent(&part, at(family.web(), 1), at(family.two(), 2), way));
    rig.case(
        "a later fragment from pod to pod",
        Hook::Pod,
        &part,
        PacketLocal,
        out,
    );
}
