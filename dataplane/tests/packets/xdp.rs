//! Flows that one hook opens and the other goes on with.

use abi::Verdict::{PacketForward, PacketNoRoute, PacketOpened, PacketReply, PacketToTc};
use anyhow::Result;
use tests::packet::Protocol::{Sctp, Tcp, Udp};
use tests::packet::{ACK, FIN, Packet, SYN};

use crate::rig::{Device, Hook, Out, Rig};
use crate::sent;
use crate::world::{CLIENT, FAMILIES, Family, LAN, NODE2, NODE3, PORT, ROUTER, WAN, WEB, at};

const XDP: Hook = Hook::Xdp(Device::Lan);
const OUTSIDE: Hook = Hook::Outside(Device::Lan);

pub fn cases(rig: &mut Rig) -> Result<()> {
    for it in FAMILIES {
        by_one_device(rig, it)?;
        by_two_devices(rig, it)?;
        closed(rig, it)?;
        between_nodes(rig, it)?;
        lost(rig, it)?;
    }
    Ok(())
}

fn by_one_device(rig: &mut Rig, it: Family) -> Result<()> {
    for (client, neighbour) in [(it.client(), CLIENT), (it.far_client(), ROUTER)] {
        for (protocol, port, backend) in [(Tcp, 80, 8080), (Udp, 53, 5353), (Sctp, 9, 9)] {
            rig.forget()?;
            let (vip, backend) = (at(it.vip(2), port), at(it.far(), backend));
            let first = Packet::new(protocol, at(client, 4000), vip);
            let out = sent(&first, at(it.node(), 0), backend, [NODE2, LAN]);
            rig.case(
                "opened at XDP",
                XDP,
                &first,
                PacketOpened,
                Out::SentAsNode(out),
            );
            let own = at(it.node(), rig.snat);
            let answer = Packet::new(protocol, backend, own)
                .flags(SYN | ACK)
                .data([9; 51]);
            let back = sent(&answer, vip, at(client, 4000), [neighbour, LAN]);
            for hook in [XDP, OUTSIDE] {
                rig.case(
                    "its answer",
                    hook,
                    &answer,
                    PacketReply,
                    Out::Sent(back.clone()),
                );
                let next = first.clone().flags(ACK).data([8; 1001]);
                let out = sent(&next, own, backend, [NODE2, LAN]);
                rig.case("the next", hook, &next, PacketForward, Out::Sent(out));
            }
        }
    }
    Ok(())
}

/// In by one device, out by another: XDP leaves both directions to tc.
fn by_two_devices(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    let (client, vip, backend) = (
        at(it.client(), 4000),
        at(it.vip(3), 80),
        at(it.wide(), 8080),
    );
    let first = Packet::new(Tcp, client, vip);
    rig.case("the first", XDP, &first, PacketToTc, Out::Same);
    rig.holds("nothing is opened", rig.flows()?.is_empty());
    let out = sent(&first, at(it.wan(), 0), backend, [NODE3, WAN]);
    rig.case(
        "the first",
        OUTSIDE,
        &first,
        PacketOpened,
        Out::SentAsNode(out),
    );
    let answer = Packet::new(Tcp, backend, at(it.wan(), rig.snat)).flags(SYN | ACK);
    rig.case(
        "its answer",
        Hook::Xdp(Device::Wan),
        &answer,
        PacketToTc,
        Out::Same,
    );
    let out = sent(&answer, vip, client, [CLIENT, LAN]);
    rig.case(
        "its answer",
        Hook::Outside(Device::Wan),
        &answer,
        PacketReply,
        Out::Sent(out),
    );
    let next = first.flags(ACK);
    rig.case("the next", XDP, &next, PacketToTc, Out::Same);
    let out = sent(&next, at(it.wan(), rig.snat), backend, [NODE3, WAN]);
    rig.case("the next", OUTSIDE, &next, PacketForward, Out::Sent(out));
    Ok(())
}

/// A SYN over a closed connection: whichever hook serves it opens one anew.
fn closed(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    let first = Packet::new(Tcp, at(it.client(), 4000), at(it.vip(2), 80));
    let backend = at(it.far(), 8080);
    let open = sent(&first, at(it.node(), 0), backend, [NODE2, LAN]);
    rig.case(
        "opened",
        XDP,
        &first,
        PacketOpened,
        Out::SentAsNode(open.clone()),
    );
    let fin = first.clone().flags(FIN | ACK);
    let out = sent(&fin, at(it.node(), rig.snat), backend, [NODE2, LAN]);
    rig.case("closed", XDP, &fin, PacketForward, Out::Sent(out));
    rig.case(
        "opened again",
        XDP,
        &first,
        PacketOpened,
        Out::SentAsNode(open),
    );
    rig.holds("one flow", rig.flows()?.len() == 2);
    // To a pod: XDP only forgets the old one.
    rig.forget()?;
    let first = first.to(at(it.vip(1), 80));
    let backend = at(it.web(), 8080);
    let open = sent(&first, at(it.own(), 0), backend, [WEB, PORT]);
    rig.case(
        "opened",
        OUTSIDE,
        &first,
        PacketOpened,
        Out::SentAsNode(open.clone()),
    );
    let fin = first.clone().flags(FIN | ACK);
    let out = sent(&fin, at(it.own(), rig.snat), backend, [WEB, PORT]);
    rig.case("closed", OUTSIDE, &fin, PacketForward, Out::Sent(out));
    rig.case("a SYN", XDP, &first, PacketToTc, Out::Same);
    rig.case(
        "a SYN",
        OUTSIDE,
        &first,
        PacketOpened,
        Out::SentAsNode(open),
    );
    rig.holds("one flow", rig.flows()?.len() == 2);
    Ok(())
}

/// Pods of other nodes that ask here, and are answered by way of here.
fn between_nodes(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    let (client, vip, backend) = (at(it.far_pod(9), 7), at(it.vip(2), 80), at(it.far(), 8080));
    let first = Packet::new(Tcp, client, vip);
    let out = sent(&first, at(it.node(), 0), backend, [NODE2, LAN]);
    rig.case(
        "from pod to pod",
        XDP,
        &first,
        PacketOpened,
        Out::SentAsNode(out),
    );
    let answer = Packet::new(Tcp, backend, at(it.node(), rig.snat)).flags(SYN | ACK);
    let out = sent(&answer, vip, client, [NODE2, LAN]);
    rig.case("and back", XDP, &answer, PacketReply, Out::Sent(out));
    Ok(())
}

/// A flow whose way is lost: tc says so.
fn lost(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    let packet = Packet::new(Tcp, at(it.client(), 4000), at(it.vip(7), 80));
    for what in ["no route", "still none"] {
        rig.case(what, XDP, &packet, PacketToTc, Out::Same);
        rig.case(what, OUTSIDE, &packet, PacketNoRoute, Out::Dropped);
    }
    // A packet from an address that is behind no route is not one of those.
    let stray = Packet::new(Tcp, at(it.nowhere(), 4000), at(it.vip(2), 80));
    let out = sent(&stray, at(it.node(), 0), at(it.far(), 8080), [NODE2, LAN]);
    rig.case(
        "from nowhere",
        XDP,
        &stray,
        PacketOpened,
        Out::SentAsNode(out),
    );
    let answer = Packet::new(Tcp, at(it.far(), 8080), at(it.node(), rig.snat));
    rig.case("and back to there", XDP, &answer, PacketToTc, Out::Same);
    rig.case(
        "and back to there",
        OUTSIDE,
        &answer,
        PacketNoRoute,
        Out::Dropped,
    );
    Ok(())
}
