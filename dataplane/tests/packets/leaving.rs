//! Backends that are the node itself: packets reach it past the stack's own routing, and its answers get the
//! Service's address as they leave by a device.

use abi::Verdict::{PacketError, PacketForward, PacketOpened, PacketOther, PacketReply};
use anyhow::Result;
use tests::packet::Protocol::{Tcp, Udp};
use tests::packet::{ACK, Extension, FIN, Packet, Protocol, SYN};

use crate::rig::{Device, Hook, Out, Rig};
use crate::world::{FAMILIES, Family, at};

const OUTSIDE: Hook = Hook::Outside(Device::Lan);
const LEAVING: Hook = Hook::Leaving(Device::Lan);

pub fn cases(rig: &mut Rig) -> Result<()> {
    for it in FAMILIES {
        for (protocol, port, backend) in [(Tcp, 6443, 6443), (Udp, 53, 5300)] {
            there_and_back(rig, it, protocol, port, backend)?;
            of_pods(rig, it, protocol, port, backend)?;
            fragments(rig, it, protocol, port, backend)?;
        }
        not_ours(rig, it)?;
        errors(rig, it)?;
    }
    Ok(())
}

fn there_and_back(
    rig: &mut Rig,
    it: Family,
    protocol: Protocol,
    port: u16,
    backend: u16,
) -> Result<()> {
    for client in [it.client(), it.far_client()] {
        rig.forget()?;
        let (vip, node, client) = (
            at(it.vip(6), port),
            at(it.node(), backend),
            at(client, 4000),
        );
        let first = Packet::new(protocol, client, vip);
        let out = Out::Passed(first.clone().to(node));
        rig.case("the first", OUTSIDE, &first, PacketOpened, out);
        let answer = Packet::new(protocol, node, client).flags(SYN | ACK);
        let out = Out::Passed(answer.clone().from(vip));
        rig.case(
            "the node's answer",
            LEAVING,
            &answer,
            PacketReply,
            out.clone(),
        );
        rig.case(
            "by another device",
            Hook::Leaving(Device::Wan),
            &answer,
            PacketReply,
            out,
        );
        let next = first.flags(ACK).data([1; 33]);
        let out = Out::Passed(next.clone().to(node));
        rig.case("the next", OUTSIDE, &next, PacketForward, out);
        let long = answer.flags(FIN | ACK).data([2; 999]).ttl(1);
        let out = Out::Passed(long.clone().from(vip));
        rig.case("with any TTL", LEAVING, &long, PacketReply, out);
        let extended = long
            .options(&[1; 4])
            .extensions(&[Extension::Destination(0)]);
        let out = Out::Passed(extended.clone().from(vip));
        rig.case("with more headers", LEAVING, &extended, PacketReply, out);
        if protocol == Udp {
            let bare = Packet::new(protocol, node, client).without_checksum();
            let out = Out::Passed(bare.clone().from(vip));
            rig.case("without a checksum", LEAVING, &bare, PacketReply, out);
        }
    }
    Ok(())
}

/// A pod that asks for a Service of the node's.
fn of_pods(rig: &mut Rig, it: Family, protocol: Protocol, port: u16, backend: u16) -> Result<()> {
    rig.forget()?;
    let (vip, node, pod) = (
        at(it.vip(6), port),
        at(it.node(), backend),
        at(it.web(), 4000),
    );
    let first = Packet::new(protocol, pod, vip);
    let out = Out::Passed(first.clone().to(node));
    rig.case("a pod's first", Hook::Pod, &first, PacketOpened, out);
    let answer = Packet::new(protocol, node, pod).flags(SYN | ACK);
    let out = Out::Passed(answer.clone().from(vip));
    rig.case(
        "the answer",
        Hook::Leaving(Device::Port),
        &answer,
        PacketReply,
        out,
    );
    Ok(())
}

/// Answers in parts: the kernel sends them so where a socket asks for it.
fn fragments(rig: &mut Rig, it: Family, protocol: Protocol, port: u16, backend: u16) -> Result<()> {
    rig.forget()?;
    let (vip, node, client) = (
        at(it.vip(6), port),
        at(it.node(), backend),
        at(it.client(), 4000),
    );
    let first = Packet::new(protocol, client, vip);
    let out = Out::Passed(first.clone().to(node));
    rig.case("the first", OUTSIDE, &first, PacketOpened, out);
    let whole = Packet::new(protocol, node, client).data([5; 100]);
    let part = |from, length| whole.clone().part(8, from, length);
    let lost = part(48, 24);
    rig.case(
        "a part before the first",
        LEAVING,
        &lost,
        PacketOther,
        Out::Same,
    );
    for part in [part(0, 48), part(48, 24), part(72, 1000)] {
        let out = Out::Passed(part.clone().from(vip));
        rig.case("a part", LEAVING, &part, PacketReply, out);
    }
    Ok(())
}

/// What the node sends on its own account.
fn not_ours(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    let (vip, node, client) = (
        at(it.vip(6), 6443),
        at(it.node(), 6443),
        at(it.client(), 4000),
    );
    let first = Packet::new(Tcp, client, vip);
    let out = Out::Passed(first.clone().to(node));
    rig.case("the first", OUTSIDE, &first, PacketOpened, out);
    let rows = [
        (
            "to another port",
            Packet::new(Tcp, node, at(it.client(), 4001)),
        ),
        (
            "to another client",
            Packet::new(Tcp, node, at(it.far_client(), 4000)),
        ),
        (
            "from another port",
            Packet::new(Tcp, at(it.node(), 22), client),
        ),
        ("of another protocol", Packet::new(Udp, node, client)),
        ("an echo", Packet::echo(it.node(), it.client())),
        // A Service is served where packets come in, and by sockets.
        ("to a Service", Packet::new(Tcp, node, at(it.vip(1), 80))),
        // Only the way back is given another address here.
        ("the way there", first),
    ];
    for (what, packet) in rows {
        rig.case(what, LEAVING, &packet, PacketOther, Out::Same);
    }
    // An answer of a pod, whose flow has another client than the packet is for.
    rig.forget()?;
    let asked = Packet::new(Tcp, client, at(it.vip(1), 80));
    let out = crate::sent(
        &asked,
        at(it.own(), 0),
        at(it.web(), 8080),
        [crate::world::WEB, crate::world::PORT],
    );
    rig.case(
        "a flow of a pod",
        OUTSIDE,
        &asked,
        PacketOpened,
        Out::SentAsNode(out),
    );
    let answer = Packet::new(Tcp, at(it.web(), 8080), at(it.own(), rig.snat));
    rig.case(
        "an answer that is not here",
        LEAVING,
        &answer,
        PacketOther,
        Out::Same,
    );
    Ok(())
}

/// Errors that the node sends about what its backend was sent.
fn errors(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    let (vip, node, client) = (
        at(it.vip(6), 53),
        at(it.node(), 5300),
        at(it.client(), 4000),
    );
    let asked = Packet::new(Udp, client, vip);
    let got = asked.clone().to(node);
    rig.case(
        "the first",
        OUTSIDE,
        &asked,
        PacketOpened,
        Out::Passed(got.clone()),
    );
    let kind = if it.v4 { (3, 3) } else { (1, 4) };
    let error = Packet::error(it.node(), &got, kind, [0; 4]);
    let out = error.clone().from(at(it.vip(6), 0)).about(asked.clone());
    rig.case(
        "port unreachable",
        LEAVING,
        &error,
        PacketError,
        Out::Passed(out),
    );
    let router = Packet::error(it.own(), &got, kind, [0; 4]);
    let out = router.clone().about(asked.clone());
    rig.case(
        "by another of its addresses",
        LEAVING,
        &router,
        PacketError,
        Out::Passed(out),
    );
    let other = got.clone().from(at(it.client(), 4001));
    let error = Packet::error(it.node(), &other, kind, [0; 4]);
    rig.case(
        "about nothing of ours",
        LEAVING,
        &error,
        PacketOther,
        Out::Same,
    );
    let mut elsewhere = Packet::error(it.node(), &got, kind, [0; 4]);
    elsewhere.destination = it.far_client();
    rig.case(
        "to somebody else",
        LEAVING,
        &elsewhere,
        PacketOther,
        Out::Same,
    );
    // From a client, about the node's answer.
    let answer = asked.answer();
    let error = Packet::too_big(it.router(), &answer);
    let out = error.clone().to(node).about(answer.from(node));
    rig.case(
        "to the node",
        OUTSIDE,
        &error,
        PacketError,
        Out::Passed(out),
    );
    Ok(())
}
