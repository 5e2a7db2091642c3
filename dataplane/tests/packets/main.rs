//! Tables of packets: description, packet in, packet out, verdict, through the programs as the kernel runs them
//! (`BPF_PROG_TEST_RUN`), in a network namespace with real devices, routes and neighbours.
//!
//! A redirect is not carried out by such a run: what is seen of the way are the MAC addresses that the packet got.

mod direct;
mod errors;
mod flows;
mod fragments;
mod leaving;
mod limits;
mod passing;
mod pods;
mod refusals;
mod rig;
mod selection;
mod served;
mod services;
mod truncated;
mod ways;
mod world;
mod xdp;

use std::net::SocketAddr;

use tests::netns::Netns;
use tests::packet::Packet;

use rig::Rig;

/// Room for all flows of a topic.
const FLOWS: u32 = 1 << 10;

/// Runs a topic's cases in a namespace of its own.
fn topic(name: &str, flows: u32, cases: impl FnOnce(&mut Rig) -> anyhow::Result<()> + Send) {
    let outcome = Netns::new("packets").and_then(|netns| {
        netns.run(|| {
            let mut rig = Rig::new(&netns, flows)?;
            cases(&mut rig)?;
            rig.finish(name)
        })
    });
    if let Err(error) = outcome {
        panic!("{error:#}");
    }
}

/// A packet as it is sent on from here: with other ends, by a way, and one less of its TTL.
fn sent(packet: &Packet, from: SocketAddr, to: SocketAddr, way: [[u8; 6]; 2]) -> Packet {
    let ttl = packet.ttl - 1;
    packet.clone().from(from).to(to).macs(way).ttl(ttl)
}

#[test]
fn what_is_nothing_of_ours_passes() {
    topic("passing", FLOWS, passing::cases);
}

#[test]
fn truncated_packets_are_told() {
    topic("truncated", FLOWS, truncated::cases);
}

#[test]
fn services_are_served() {
    topic("services", FLOWS, services::cases);
}

#[test]
fn pods_are_served() {
    topic("pods", FLOWS, pods::cases);
}

#[test]
fn nobody_answers_as_the_service_says() {
    topic("refusals", FLOWS, refusals::cases);
}

#[test]
fn ways_are_found_or_missed() {
    topic("ways", FLOWS, ways::cases);
}

#[test]
fn flows_go_on() {
    topic("flows", FLOWS, flows::cases);
}

#[test]
fn errors_find_their_way_back() {
    topic("errors", FLOWS, errors::cases);
}

#[test]
fn fragments_follow_the_first() {
    topic("fragments", FLOWS, fragments::cases);
}

#[test]
fn backends_are_chosen() {
    topic("selection", FLOWS, selection::cases);
}

#[test]
fn the_node_itself_answers() {
    topic("leaving", FLOWS, leaving::cases);
}

#[test]
fn xdp_serves_what_it_can() {
    topic("xdp", FLOWS, xdp::cases);
}

#[test]
fn full_tables_stop_new_flows_alone() {
    topic("limits", limits::FLOWS, limits::cases);
}

#[test]
fn who_asks_a_backend_itself_gets_its_answers() {
    topic("direct", FLOWS, direct::cases);
}
