//! A NodePort for a client outside, its backend on another node: what arrives there of frames that come as a driver
//! hands them over.
//!
//! One veth pair is the wire: at its far end are the client and the other node, as instructions of a program that
//! sends and of one that takes everything away. So nearly all that is measured is the node between.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path as FilePath;
use std::thread::sleep;
use std::time::Duration;

use ::tests::netns::Netns;
use ::tests::wait;
use anyhow::{Context, Result, ensure};

use super::bpf::{self, FLOWS, FRAME, Link, Program};
use super::goal::Goal;
use super::manifests;
use super::node::ServiceNode;
use super::{gro, kube};
use crate::interrupt;
use crate::report::{Cell, Table};
use crate::stats::{median, pairwise_ratio};

/// Environment variable with the file of kube-proxy's rules for this very Service, as [`record`] has left them.
pub const VARIABLE: &str = "BERTH_KUBE_RULES";

/// The node's address, the client's, and the other node's.
const NODE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 20);

/// UDP's number.
const UDP: u8 = 17;

/// MAC addresses: the node's, and that of everything else.
const NODE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const WIRE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// More than the goals are about.
const OF_LIMIT: Goal = Goal::AtLeast(0.6);
const OF_NFTABLES: Goal = Goal::AtLeast(4.0);

/// What forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Echo,
    Native,
    Generic,
    Tc,
    Nftables,
}

const WAYS: [Way; 5] = [Way::Echo, Way::Native, Way::Generic, Way::Tc, Way::Nftables];

impl Way {
    fn label(self) -> &'static str {
        match self {
            Self::Echo => "XDP_TX and nothing else: the limit",
            Self::Native => "berth, XDP in the driver",
            Self::Generic => "berth, generic XDP",
            Self::Tc => "berth, tc",
            Self::Nftables => "kube-proxy, nftables",
        }
    }

    /// The word for berthd's `--xdp`.
    fn xdp(self) -> Option<&'static str> {
        match self {
            Self::Native => Some("native"),
            Self::Generic => Some("generic"),
            Self::Tc => Some("off"),
            Self::Echo | Self::Nftables => None,
        }
    }
}

/// What was measured, one value a round.
#[derive(Default)]
struct Figures {
    rate: Vec<f64>,
    arrived: Vec<f64>,
}

/// A node with its wire.
struct Laid {
    node: ServiceNode,
    wire: Netns,
    index: u32,
    _sink: Link,
    _echo: Option<Link>,
}

/// Measures each way with so many frames, and makes the table.
///
/// # Errors
/// When something cannot be laid, or forwards next to nothing.
pub fn table(frames: u32, rounds: usize) -> Result<Table> {
    let mut measured: Vec<(Way, Figures)> =
        WAYS.iter().map(|way| (*way, Figures::default())).collect();
    for round in 0..rounds {
        for (way, figures) in &mut measured {
            interrupt::check()?;
            eprintln!(
                "forwarding: round {} of {rounds}: {}",
                round + 1,
                way.label()
            );
            let laid = lay(*way).with_context(|| way.label())?;
            let (rate, arrived) = measure(&laid, frames).with_context(|| way.label())?;
            eprintln!("  {rate:.0}/s, {arrived:.3} arrived");
            figures.rate.push(rate);
            figures.arrived.push(arrived);
        }
    }
    Ok(report(&measured, frames, rounds))
}

fn lay(way: Way) -> Result<Laid> {
    let mut node = ServiceNode::new()?;
    let (wire, index) = plug(&node)?;
    let sink = wire.run(|| Program::load(&bpf::sink())?.attach(index))?;
    let netns = &node.node.netns;
    netns.run(|| gro::turn_on("up0"))?;
    let mut echo = None;
    match way {
        Way::Echo => {
            let device = index_of(netns, "up0")?;
            echo = Some(netns.run(|| Program::load(&bpf::echo())?.attach(device))?);
        }
        Way::Nftables => {
            let rules = std::env::var(VARIABLE)
                .with_context(|| format!("{VARIABLE} is not set: run make bench-services"))?;
            netns.sh(&format!("nft -f {rules}"))?;
        }
        Way::Native | Way::Generic | Way::Tc => {
            let text = manifests::text(0, &[manifests::endpoint(0)]).replace("TCP", "UDP");
            manifests::put(node.folder(), 0, &text)?;
            let word = way.xdp().context("a way of berth's")?;
            #[rustfmt::skip]
            node.start(&["--xdp", word, "--uplink", "up0", "--nodeport-addresses", "192.0.2.0/24"])?;
        }
    }
    Ok(Laid {
        node,
        wire,
        index,
        _sink: sink,
        _echo: echo,
    })
}

/// A wire to the node; the namespace and the index of its far end. All neighbours are known.
fn plug(node: &ServiceNode) -> Result<(Netns, u32)> {
    let (netns, wire) = (&node.node.netns, Netns::new("wire")?);
    let [node_mac, wire_mac] =
        [NODE_MAC, WIRE_MAC].map(|mac| mac.map(|it| format!("{it:02x}")).join(":"));
    netns.sh(&format!(
        "ip link add up0 address {node_mac} type veth peer name wire0 address {wire_mac} netns {}
         ip addr add {NODE}/24 dev up0
         ip link set up0 up
         ip neigh add {CLIENT} lladdr {wire_mac} dev up0 nud permanent
         ip neigh add {OTHER} lladdr {wire_mac} dev up0 nud permanent
         ip route add default via {CLIENT}
         ip route add 10.128.0.0/9 via {OTHER}
         sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.all.send_redirects=0 \
             net.ipv4.conf.up0.send_redirects=0",
        wire.path().display()
    ))?;
    wire.sh("ip link set wire0 up")?;
    let index = index_of(&wire, "wire0")?;
    Ok((wire, index))
}

fn index_of(netns: &Netns, device: &str) -> Result<u32> {
    let links = netns.ip_json(&format!("link show {device}"))?;
    let index = links[0]["ifindex"].as_u64();
    Ok(u32::try_from(index.context("a device without index")?)?)
}

/// Packets each second that arrive at the other node, and the share of those sent.
fn measure(laid: &Laid, frames: u32) -> Result<(f64, f64)> {
    let source = Program::load(&bpf::source(&headers(), laid.index))?;
    let send = |frames: u32| -> Result<(f64, f64)> {
        let before = received(laid)?;
        let elapsed = laid.wire.run(|| source.send(frames))?;
        // The last ones may be on their way.
        sleep(Duration::from_millis(20));
        Ok(((received(laid)? - before), elapsed.as_secs_f64()))
    };
    // All flows are open then.
    wait::until_ok(Duration::from_secs(30), "the way to be open", || {
        let sent = FLOWS.cast_unsigned() * 16;
        let (arrived, _) = send(sent)?;
        let all = f64::from(sent);
        ensure!(arrived > 0.9 * all, "{arrived} of {sent} frames arrived");
        Ok(())
    })
    .with_context(|| laid.node.node.berthd_log())?;
    let (arrived, seconds) = send(frames)?;
    Ok((arrived / seconds, arrived / f64::from(frames)))
}

/// Frames that the far end of the wire has been given so far.
fn received(laid: &Laid) -> Result<f64> {
    let links = laid.wire.ip_json("-s link show wire0")?;
    links[0]["stats64"]["rx"]["packets"]
        .as_f64()
        .context("a device without counters")
}

/// A datagram from the client to the node's port.
fn headers() -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    frame[..6].copy_from_slice(&NODE_MAC);
    frame[6..12].copy_from_slice(&WIRE_MAC);
    frame[12..14].copy_from_slice(&[8, 0]);
    let length = (FRAME - 14) as u16;
    let ip = &mut frame[14..34];
    ip[0] = 0x45;
    ip[2..4].copy_from_slice(&length.to_be_bytes());
    ip[8] = 64;
    ip[9] = UDP;
    ip[12..16].copy_from_slice(&CLIENT.octets());
    ip[16..20].copy_from_slice(&NODE.octets());
    let words = ip.chunks_exact(2);
    let sum: u32 = words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = !((sum + (sum >> 16)) as u16);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    // The low byte of the source port is the sender's to choose; without a checksum, as UDP may be.
    frame[34..36].copy_from_slice(&10_240_u16.to_be_bytes());
    let port = manifests::node_port(0).unwrap_or_default() as u16;
    frame[36..38].copy_from_slice(&port.to_be_bytes());
    frame[38..40].copy_from_slice(&(length - 20).to_be_bytes());
    frame
}

/// Has the real kube-proxy make its rules for this Service, and keeps them in a file: where it would take minutes to
/// run, they alone are loaded.
///
/// # Errors
/// When it does not.
pub fn record(file: &FilePath) -> Result<()> {
    let mut api = kube::Api::start()?;
    let node = ServiceNode::new()?;
    let (_wire, _) = plug(&node)?;
    api.grow_udp(&[manifests::endpoint(0)])?;
    let more = serde_json::json!({"nodePortAddresses": ["192.0.2.0/24"]});
    let netns = &node.node.netns;
    let proxy = api.proxy(netns, "nftables", &more)?;
    let port = manifests::node_port(0).unwrap_or_default();
    let mut rules = String::new();
    wait::until_ok(Duration::from_secs(60), "kube-proxy's rules", || {
        rules = netns.output("nft", ["list", "ruleset"])?;
        let has = |text: &str| rules.contains(text);
        ensure!(
            has(&format!("udp . {port}")) && has(&manifests::endpoint(0).to_string()),
            "{rules}\n{}",
            proxy.said()
        );
        Ok(())
    })?;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, rules).with_context(|| format!("cannot write {}", file.display()))
}

fn report(measured: &[(Way, Figures)], frames: u32, rounds: usize) -> Table {
    let mut table = Table::new(
        "A NodePort from outside, the backend on another node behind the same wire",
        &[
            "what forwards",
            "64 B UDP arrived",
            "of those sent",
            "of the limit",
            "goal",
            "of nftables",
            "goal",
        ],
    )
    .note(format!("{frames} frames of 64 bytes in {FLOWS} flows, {rounds} round(s), medians; one CPU sends, forwards and takes away"))
    .note("frames come as a driver hands them over (XDP in the driver of a veth); the figures include sending and taking away, of which the limit is made too")
    .note("kube-proxy: rules made by the real one, policy Cluster: both translate source and destination");
    let of = |wanted: Way| {
        let found = measured.iter().find(|(way, _)| *way == wanted);
        found.map(|(_, figures)| figures)
    };
    for (way, own) in measured {
        let ratio = |to: Way| of(to).and_then(|it| pairwise_ratio(&own.rate, &it.rate));
        let (limit, nftables) = (ratio(Way::Echo), ratio(Way::Nftables));
        let goal = |goal: Goal, ratio: Option<f64>| match way {
            Way::Native => goal.verdict(ratio),
            _ => Cell::Nothing,
        };
        table.row(vec![
            Cell::Text(way.label().to_owned()),
            Cell::of(Cell::Rate, median(&own.rate)),
            Cell::of(Cell::Ratio, median(&own.arrived)),
            Cell::of(Cell::Ratio, limit),
            goal(OF_LIMIT, limit),
            Cell::of(Cell::Ratio, nftables),
            goal(OF_NFTABLES, nftables),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_sums_up() {
        let frame = headers();
        let words = frame[14..34].chunks_exact(2);
        let sum: u32 = words
            .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
            .sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }
}
