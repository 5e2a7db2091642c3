//! Which backend, and who may ask.

use std::collections::BTreeMap;
use std::net::IpAddr;

use abi::Verdict::{PacketNotAllowed, PacketOpened};
use abi::{AffinityKey, AffinityValue, Backend, names};
use anyhow::{Context, Result};
use dataplane::maglev;
use ebpf::choice::slot;
use ebpf::hash;
use tests::packet::Packet;
use tests::packet::Protocol::Tcp;

use crate::rig::{Device, Hook, Out, Rig};
use crate::sent;
use crate::served::consistent;
use crate::world::{FAMILIES, Family, LAN, NODE2, PORT, TWO, WEB, at};

const OUTSIDE: Hook = Hook::Outside(Device::Lan);

pub fn cases(rig: &mut Rig) -> Result<()> {
    for it in FAMILIES {
        by_maglev(rig, it)?;
        any_inside(rig, it)?;
        by_affinity(rig, it)?;
        over(rig, it)?;
        ranges(rig, it)?;
    }
    Ok(())
}

/// The backend is the one that userspace's own table has for the flow's hash.
fn by_maglev(rig: &mut Rig, it: Family) -> Result<()> {
    let backends = consistent(it);
    let table = maglev::table(&backends);
    let size = u32::try_from(table.len())?;
    let mut shares: BTreeMap<u16, u32> = BTreeMap::new();
    for port in 4000..4032 {
        let packet = Packet::new(Tcp, at(it.client(), port), at(it.lb(4), 80));
        let key = abi::FlowKey {
            source: it.client().into(),
            destination: it.lb(4).into(),
            source_port_be: port.to_be(),
            destination_port_be: 80_u16.to_be(),
            protocol: 6,
            pad: [0; 3],
        };
        let chosen = table[slot(hash::flow(&key), size) as usize];
        *shares.entry(chosen).or_default() += 1;
        let backend = backends[usize::from(chosen)];
        let to = at(backend.address.into(), u16::from_be(backend.port_be));
        let out = Out::SentAsNode(sent(&packet, at(it.node(), 0), to, [NODE2, LAN]));
        rig.both(
            &format!("Maglev, port {port}"),
            &packet,
            PacketOpened,
            out,
            true,
        );
    }
    rig.holds("each has clients", shares.len() == backends.len());
    rig.forget()
}

/// Where a packet went, of those that stay inside.
fn went(rig: &mut Rig, hook: Hook, packet: &Packet) -> Result<IpAddr> {
    let before = rig.flows()?;
    let ran = rig.run(hook, &packet.bytes())?;
    anyhow::ensure!(ran.verdicts == [("packet_opened", 1)], "{ran:?}");
    let after = rig.flows()?;
    let new = after
        .iter()
        .find(|(key, flow)| flow.flags & abi::Flow::FORWARD != 0 && !before.contains_key(key));
    Ok(new.context("no flow")?.1.destination.into())
}

/// Clients inside get any, whatever tables there are.
fn any_inside(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    let mut shares: BTreeMap<IpAddr, u32> = BTreeMap::new();
    for port in 0..200 {
        let packet = Packet::new(Tcp, at(it.two(), 10_000 + port), at(it.lb(4), 80));
        *shares.entry(went(rig, Hook::Pod, &packet)?).or_default() += 1;
    }
    // With even odds a share is below ten once in ten thousand million runs.
    let even = shares.len() == 5 && shares.values().all(|share| *share >= 10);
    rig.holds(&format!("random: {shares:?}"), even);
    rig.forget()
}

/// A client stays with its backend; its packets' path is the backend's.
fn by_affinity(rig: &mut Rig, it: Family) -> Result<()> {
    rig.forget()?;
    let vip = at(it.vip(5), 80);
    let mut chosen = BTreeMap::new();
    for n in 0..32_u8 {
        // Clients beyond the router, of whom each is another.
        let client: IpAddr = if it.v4 {
            format!("203.0.113.{}", 100 + n).parse()?
        } else {
            format!("2001:db8:77::1:{n}").parse()?
        };
        let first = went(rig, OUTSIDE, &Packet::new(Tcp, at(client, 1000), vip))?;
        *chosen.entry(first).or_insert(0) += 1;
        let way = if first == it.web() {
            [WEB, PORT]
        } else {
            [TWO, PORT]
        };
        for port in 1001..1005 {
            let packet = Packet::new(Tcp, at(client, port), vip);
            let out = Out::SentAsNode(sent(&packet, at(it.own(), 0), at(first, 8080), way));
            let what = format!("client {n} again");
            rig.case(&what, OUTSIDE, &packet, PacketOpened, out);
        }
        rig.forget_flows()?;
    }
    rig.holds(&format!("both have clients: {chosen:?}"), chosen.len() == 2);
    Ok(())
}

/// Affinity ends with its time, and with its backend.
fn over(rig: &mut Rig, it: Family) -> Result<()> {
    let frontend = abi::Frontend {
        address: it.vip(5).into(),
        port_be: 80_u16.to_be(),
        protocol: 6,
        pad: 0,
    };
    let service = *rig.tables.service(&frontend).context("no Service")?;
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)?;
    let now = u64::try_from(now.tv_sec())? * 1_000_000_000;
    let client = it.far_client();
    let key = AffinityKey {
        client: client.into(),
        port_id: service.port_id,
        pad: 0,
    };
    let backend = |address: IpAddr| Backend {
        address: address.into(),
        port_be: 8080_u16.to_be(),
        pad: 0,
    };
    let long = u64::from(service.affinity_seconds) * 1_000_000_000;
    let rows = [
        ("just now", it.two(), now, Some(it.two())),
        (
            "long ago",
            it.two(),
            now.saturating_sub(long + 2_000_000_000),
            None,
        ),
        ("of a backend that is gone", it.far(), now, None),
    ];
    for (what, address, last_ns, expected) in rows {
        let mut seen = BTreeMap::new();
        for port in 0..40 {
            let value = AffinityValue {
                last_ns,
                backend: backend(address),
                pad: 0,
            };
            rig.forget()?;
            rig.map(names::AFFINITY)?.insert(key, value, 0)?;
            let packet = Packet::new(Tcp, at(client, 2000 + port), at(it.vip(5), 80));
            *seen.entry(went(rig, OUTSIDE, &packet)?).or_insert(0) += 1;
        }
        let right = match expected {
            Some(only) => seen.keys().eq([&only]),
            None => seen.keys().eq([&it.web(), &it.two()]),
        };
        rig.holds(&format!("{what}: {seen:?}"), right);
        let kept: AffinityValue = rig.map::<AffinityKey, _>(names::AFFINITY)?.get(&key, 0)?;
        rig.holds(
            "it is refreshed",
            kept.last_ns >= now && kept.backend.address != it.far().into(),
        );
    }
    rig.forget()
}

/// Only networks that the Service names may use its load balancer's address.
fn ranges(rig: &mut Rig, it: Family) -> Result<()> {
    let (pod, other) = (it.web(), it.two());
    let to = |client, vip| Packet::new(Tcp, at(client, 4000), at(vip, 80));
    let (lb, vip) = (it.lb(3), it.vip(8));
    let out = |packet: &Packet| {
        Out::SentAsNode(sent(packet, at(it.own(), 0), at(pod, 8080), [WEB, PORT]))
    };
    let inside = to(it.client(), lb);
    rig.both("within", &inside, PacketOpened, out(&inside), false);
    let beyond = to(it.far_client(), lb);
    rig.both("beyond", &beyond, PacketNotAllowed, Out::Dropped, true);
    let unchecked = to(it.far_client(), vip);
    rig.both(
        "by an address without",
        &unchecked,
        PacketOpened,
        out(&unchecked),
        false,
    );
    let near = if it.v4 {
        "192.0.2.32"
    } else {
        "2001:db8:0:1::1"
    };
    let near = to(near.parse()?, lb);
    rig.both("a bit beyond", &near, PacketNotAllowed, Out::Dropped, true);
    let last = if it.v4 {
        "192.0.2.31"
    } else {
        "2001:db8::ffff"
    };
    let last = to(last.parse()?, lb);
    rig.forget()?;
    let ran = rig.run(OUTSIDE, &last.bytes())?;
    rig.holds("the last within", ran.verdicts == [("packet_opened", 1)]);
    rig.forget()?;
    rig.case(
        "a pod beyond",
        Hook::Pod,
        &to(other, lb),
        PacketNotAllowed,
        Out::Dropped,
    );
    if it.v4 {
        let packet = to(pod, lb);
        rig.case(
            "a pod within",
            Hook::Pod,
            &packet,
            PacketOpened,
            out(&packet),
        );
    }
    rig.forget()
}
