//! A client that asks a backend itself from the port from which it had asked the Service.

use abi::Verdict::{PacketForward, PacketLocal, PacketOpened, PacketReply};
use anyhow::Result;
use tests::packet::Protocol::Tcp;
use tests::packet::{ACK, FIN, Packet, SYN};

use crate::rig::{Hook, Out, Rig};
use crate::sent;
use crate::world::{FAMILIES, Family, PORT, TWO, WEB, at};

pub fn cases(rig: &mut Rig) -> Result<()> {
    for family in FAMILIES {
        for ended_by_client in [true, false] {
            after_its_end(rig, family, ended_by_client)?;
        }
        beside_it(rig, family)?;
    }
    Ok(())
}

/// Once the connection by the Service is over, whoever ended it, answers to the direct one are left as they are.
fn after_its_end(rig: &mut Rig, it: Family, by_client: bool) -> Result<()> {
    rig.forget()?;
    let (client, vip, backend) = (at(it.two(), 5001), at(it.vip(1), 80), at(it.web(), 8080));
    let asked = Packet::new(Tcp, client, vip);
    let answer = Packet::new(Tcp, backend, client).flags(SYN | ACK);
    let out = sent(&asked, client, backend, [WEB, PORT]);
    rig.case(
        "by the Service",
        Hook::Pod,
        &asked,
        PacketOpened,
        Out::Sent(out),
    );
    let out = sent(&answer, vip, client, [TWO, PORT]);
    rig.case(
        "its answer",
        Hook::Pod,
        &answer,
        PacketReply,
        Out::Sent(out),
    );
    if by_client {
        let end = asked.flags(FIN | ACK);
        let out = sent(&end, client, backend, [WEB, PORT]);
        rig.case(
            "the client's end",
            Hook::Pod,
            &end,
            PacketForward,
            Out::Sent(out),
        );
    } else {
        let end = answer.clone().flags(FIN | ACK);
        let out = sent(&end, vip, client, [TWO, PORT]);
        rig.case(
            "the backend's end",
            Hook::Pod,
            &end,
            PacketReply,
            Out::Sent(out),
        );
    }
    let direct = Packet::new(Tcp, client, backend);
    let out = sent(&direct, client, backend, [WEB, PORT]);
    rig.case("directly", Hook::Pod, &direct, PacketLocal, Out::Sent(out));
    let out = sent(&answer, backend, client, [TWO, PORT]);
    rig.case(
        "answered directly",
        Hook::Pod,
        &answer,
        PacketLocal,
        Out::Sent(out),
    );
    rig.holds(
        "of the Service's flow nothing is left",
        rig.flows()?.is_empty(),
    );
    Ok(())
}

/// One that goes on keeps its answers.
fn beside_it(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    let (client, vip, backend) = (at(it.two(), 5002), at(it.vip(1), 80), at(it.web(), 8080));
    let asked = Packet::new(Tcp, client, vip);
    let answer = Packet::new(Tcp, backend, client).flags(SYN | ACK);
    let out = sent(&asked, client, backend, [WEB, PORT]);
    rig.case(
        "by the Service",
        Hook::Pod,
        &asked,
        PacketOpened,
        Out::Sent(out),
    );
    let direct = Packet::new(Tcp, client, backend);
    let out = sent(&direct, client, backend, [WEB, PORT]);
    rig.case("directly", Hook::Pod, &direct, PacketLocal, Out::Sent(out));
    let out = sent(&answer, vip, client, [TWO, PORT]);
    rig.case(
        "the Service's answer",
        Hook::Pod,
        &answer,
        PacketReply,
        Out::Sent(out),
    );
    Ok(())
}
