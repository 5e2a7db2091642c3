//! Packets cut at every byte that the kernel lets a program see.

use abi::Verdict::{PacketMalformed, PacketOpened, PacketOther, PacketUnsupported};
use anyhow::{Result, ensure};
use tests::packet::{Extension, Packet, Protocol};

use crate::rig::{Device, Hook, Out, Rig};
use crate::sent;
use crate::world::{FAMILIES, LAN, NODE2, PORT, WEB, at};

pub fn cases(rig: &mut Rig) -> Result<()> {
    for family in FAMILIES {
        for (protocol, port, backend) in [
            (Protocol::Tcp, 80, 8080),
            (Protocol::Udp, 53, 5353),
            (Protocol::Sctp, 9, 9),
        ] {
            let packet = Packet::new(protocol, at(family.client(), 4000), at(family.vip(1), port));
            let packet = if family.v4 {
                packet.options(&[1; 8])
            } else {
                packet.extensions(&[Extension::HopByHop(0), Extension::Destination(1)])
            };
            served(rig, &packet, at(family.own(), 0), at(family.web(), backend))?;
            nobodys(rig, &packet.to(at(family.far(), port)))?;
        }
    }
    xdp(rig)
}

/// The least that the kernel takes for a buffer of its own: the IP header. XDP sees any.
fn least(packet: &Packet) -> usize {
    if packet.source.is_ipv4() { 34 } else { 54 }
}

/// To an address of a Service: dropped where its ports or checksum are missing.
fn served(
    rig: &mut Rig,
    packet: &Packet,
    from: std::net::SocketAddr,
    to: std::net::SocketAddr,
) -> Result<()> {
    let whole = packet.bytes();
    let l4 = packet.transport();
    let mut ends = l4 + 4;
    // The last extension header is there to be read from its second byte on.
    let header = if packet.source.is_ipv4() { 34 } else { 64 };
    if let tests::packet::Body::Ports { protocol, .. } = packet.body {
        ends = match protocol {
            Protocol::Tcp => l4 + 18,
            Protocol::Udp => l4 + 8,
            Protocol::Sctp => ends,
        };
    }
    for length in least(packet)..=whole.len() {
        rig.forget()?;
        let what = format!(
            "{length} of {} bytes to {}",
            whole.len(),
            packet.destination
        );
        let frame = &whole[..length];
        let hook = Hook::Outside(Device::Lan);
        if length < header {
            rig.bytes(&what, hook, frame, PacketMalformed, Out::Same);
        } else if length < ends {
            rig.bytes(&what, hook, frame, PacketMalformed, Out::Dropped);
        } else {
            // As much as is there is right.
            let ran = rig.run(hook, frame)?;
            let port = [ran.bytes[l4], ran.bytes[l4 + 1]];
            let from = at(from.ip(), u16::from_be_bytes(port));
            let expected = sent(packet, from, to, [WEB, PORT]).bytes();
            let right = ran.verdicts == [("packet_opened", 1)] && ran.bytes == expected[..length];
            rig.holds(&what, right);
        }
    }
    rig.forget()
}

/// To nobody's: passed, and not touched.
fn nobodys(rig: &mut Rig, packet: &Packet) -> Result<()> {
    let whole = packet.bytes();
    // The last extension header is there to be read from its second byte on.
    let header = if packet.source.is_ipv4() { 34 } else { 64 };
    for length in least(packet)..whole.len() {
        let what = format!("{length} bytes to nobody");
        let (verdict, hook) = (PacketOther, Hook::Outside(Device::Lan));
        let verdict = if length < header {
            PacketMalformed
        } else {
            verdict
        };
        rig.bytes(&what, hook, &whole[..length], verdict, Out::Same);
    }
    ensure!(rig.flows()?.is_empty(), "nothing was opened");
    Ok(())
}

/// The driver's hook never sends, and never changes and passes, what is cut.
fn xdp(rig: &mut Rig) -> Result<()> {
    let hook = Hook::Xdp(Device::Lan);
    for family in FAMILIES {
        let packet = Packet::new(
            Protocol::Tcp,
            at(family.client(), 4000),
            at(family.vip(2), 80),
        );
        let whole = packet.bytes();
        let l4 = packet.transport();
        let header = if family.v4 { 34 } else { 54 };
        for length in 15..whole.len() {
            rig.forget()?;
            let what = format!("{length} bytes at XDP");
            let frame = &whole[..length];
            if length < header {
                rig.bytes(&what, hook, frame, PacketMalformed, Out::Same);
            } else if length < l4 + 18 {
                rig.bytes(&what, hook, frame, PacketMalformed, Out::Dropped);
            } else {
                let ran = rig.run(hook, frame)?;
                let port = u16::from_be_bytes([ran.bytes[l4], ran.bytes[l4 + 1]]);
                let (from, to) = (at(family.node(), port), at(family.far(), 8080));
                let expected = sent(&packet, from, to, [NODE2, LAN]).bytes();
                rig.holds(&what, ran.code == 3 && ran.bytes == expected[..length]);
            }
        }
        rig.forget()?;
        let out = Out::SentAsNode(sent(
            &packet,
            at(family.node(), 0),
            at(family.far(), 8080),
            [NODE2, LAN],
        ));
        rig.case("whole at XDP", hook, &packet, PacketOpened, out);
        let other = Packet::new(
            Protocol::Sctp,
            at(family.client(), 4000),
            at(family.vip(1), 10),
        );
        let hook = Hook::Outside(Device::Lan);
        rig.case(
            "SCTP to another port",
            hook,
            &other,
            PacketUnsupported,
            Out::Dropped,
        );
    }
    rig.forget()
}
