//! Ways to backends: none, narrow ones, the node itself, and packets that have come too far.

use abi::Verdict::{
    PacketError, PacketExpired, PacketForward, PacketNoRoute, PacketOpened, PacketTooBig,
};
use anyhow::Result;
use tests::packet::Packet;
use tests::packet::Protocol::{Tcp, Udp};

use crate::rig::{Device, Hook, Out, Rig};
use crate::sent;
use crate::world::{CLIENT, FAMILIES, Family, LAN, NODE2, NODE3, PORT, WAN, WAN_MTU, WEB, at};

const OUTSIDE: Hook = Hook::Outside(Device::Lan);

pub fn cases(rig: &mut Rig) -> Result<()> {
    for family in FAMILIES {
        ways(rig, family)?;
        too_big(rig, family)?;
        times_to_live(rig, family)?;
        padded(rig, family)?;
    }
    Ok(())
}

fn ways(rig: &mut Rig, it: Family) -> Result<()> {
    let to = |vip, port| Packet::new(Tcp, at(it.client(), 4000), at(vip, port));
    let lost = to(it.vip(7), 80);
    rig.both(
        "no route to the backend",
        &lost,
        PacketNoRoute,
        Out::Dropped,
        false,
    );
    // Whoever asks for the MAC address writes both.
    let silent = to(it.vip(7), 81);
    let out = sent(&silent, at(it.node(), 0), at(it.silent(), 80), silent.macs);
    rig.both(
        "a neighbour to be asked",
        &silent,
        PacketOpened,
        Out::SentAsNode(out),
        false,
    );
    let back = to(it.vip(7), 82);
    let out = sent(
        &back,
        at(it.node(), 0),
        at(it.client(), 8080),
        [CLIENT, LAN],
    );
    rig.both(
        "a client that is the backend",
        &back,
        PacketOpened,
        Out::SentAsNode(out),
        true,
    );
    let mine = to(it.vip(6), 6443);
    let out = mine.clone().to(at(it.node(), 6443));
    rig.both(
        "a backend that is the node",
        &mine,
        PacketOpened,
        Out::Passed(out),
        false,
    );
    let mine = Packet::new(Udp, at(it.far_client(), 4000), at(it.vip(6), 53));
    let out = mine.clone().to(at(it.node(), 5300));
    rig.both(
        "a backend that is the node, UDP",
        &mine,
        PacketOpened,
        Out::Passed(out),
        false,
    );
    rig.forget()
}

/// About as long as the MTU of the way. The kernel itself lets four bytes more pass, for a VLAN that is not there.
fn too_big(rig: &mut Rig, it: Family) -> Result<()> {
    let headers = if it.v4 { 28 } else { 48 };
    let (vip, backend) = (at(it.vip(3), 53), at(it.wide(), 53));
    let of = |length: usize| {
        let data = vec![5; length - headers];
        Packet::new(Udp, at(it.client(), 4000), vip).data(data)
    };
    for length in [WAN_MTU, WAN_MTU + 4] {
        let packet = of(length).uncut();
        let out = Out::SentAsNode(sent(&packet, at(it.wan(), 0), backend, [NODE3, WAN]));
        rig.both("as long as the MTU", &packet, PacketOpened, out, false);
    }
    // The kernel tells the sender: it is left the packet, with the backend's address alone.
    let packet = of(WAN_MTU + 5).uncut();
    let out = packet.clone().to(backend);
    let left = Out::Passed(out.clone());
    rig.both(
        "longer than the MTU",
        &packet,
        PacketTooBig,
        left.clone(),
        false,
    );
    rig.case("and again", OUTSIDE, &packet, PacketTooBig, left);
    let error = Packet::too_big(it.node(), &out);
    let told = Out::Passed(error.clone().about(packet.clone()));
    let leaving = Hook::Leaving(Device::Lan);
    rig.case("the kernel's error", leaving, &error, PacketError, told);
    // What fits goes on as it would have.
    let short = of(100);
    let out = Out::SentAsNode(sent(&short, at(it.wan(), 0), backend, [NODE3, WAN]));
    rig.case("a short one after it", OUTSIDE, &short, PacketForward, out);
    if it.v4 {
        // In pieces they would get through with that source.
        let packet = of(WAN_MTU + 5);
        rig.both(
            "that may be cut",
            &packet,
            PacketTooBig,
            Out::Dropped,
            false,
        );
    }
    // It has its source until then, but its flow is one whose answers have to come back here.
    let long = Packet::new(Tcp, at(it.client(), 4000), at(it.lb(2), 81)).data([1; 1500]);
    let left = Out::Passed(long.clone().uncut().to(at(it.far(), 8080)));
    rig.both(
        "a kept source, too long",
        &long.clone().uncut(),
        PacketTooBig,
        left,
        false,
    );
    let short = long.data([]);
    let out = Out::SentAsNode(sent(
        &short,
        at(it.node(), 0),
        at(it.far(), 8080),
        [NODE2, LAN],
    ));
    rig.case("a short one after it", OUTSIDE, &short, PacketForward, out);
    let pod = of(WAN_MTU + 5).uncut().from(at(it.web(), 4000));
    let left = Out::Passed(pod.clone().to(backend));
    rig.case(
        "a pod's, longer than the MTU",
        Hook::Pod,
        &pod,
        PacketTooBig,
        left,
    );
    rig.forget()
}

fn times_to_live(rig: &mut Rig, it: Family) -> Result<()> {
    let rows = [
        (
            "to a pod",
            at(it.vip(1), 80),
            at(it.own(), 0),
            at(it.web(), 8080),
            [WEB, PORT],
            false,
        ),
        (
            "to another node",
            at(it.vip(2), 80),
            at(it.node(), 0),
            at(it.far(), 8080),
            [NODE2, LAN],
            true,
        ),
    ];
    for (what, vip, from, backend, way, xdp) in rows {
        for ttl in [0, 1, 2] {
            let packet = Packet::new(Tcp, at(it.client(), 4000), vip).ttl(ttl);
            let what = format!("TTL {ttl} {what}");
            if ttl < 2 {
                rig.both(&what, &packet, PacketExpired, Out::Dropped, xdp);
            } else {
                let out = Out::SentAsNode(sent(&packet, from, backend, way));
                rig.both(&what, &packet, PacketOpened, out, xdp);
            }
        }
    }
    for ttl in [0, 1] {
        let mine = Packet::new(Tcp, at(it.client(), 4000), at(it.vip(6), 6443)).ttl(ttl);
        let out = Out::Passed(mine.clone().to(at(it.node(), 6443)));
        rig.both(
            "the node itself takes any TTL",
            &mine,
            PacketOpened,
            out,
            false,
        );
    }
    rig.forget()
}

/// Short frames come with bytes after the packet, which are none of it and stay.
fn padded(rig: &mut Rig, it: Family) -> Result<()> {
    let packet = Packet::new(Tcp, at(it.client(), 4000), at(it.vip(2), 80));
    for (what, hook) in [
        ("padded", Hook::Xdp(Device::Lan)),
        ("padded", Hook::Outside(Device::Lan)),
    ] {
        rig.forget()?;
        let padding = [0xee; 6];
        let frame = [packet.bytes(), padding.to_vec()].concat();
        let ran = rig.run(hook, &frame)?;
        let l4 = packet.transport();
        let port = u16::from_be_bytes([ran.bytes[l4], ran.bytes[l4 + 1]]);
        let out = sent(
            &packet,
            at(it.node(), port),
            at(it.far(), 8080),
            [NODE2, LAN],
        );
        let right = [out.bytes(), padding.to_vec()].concat();
        rig.holds(
            what,
            ran.bytes == right && ran.verdicts == [("packet_opened", 1)],
        );
    }
    rig.forget()
}
