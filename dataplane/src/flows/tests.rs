//! Which flows end when.

use std::net::IpAddr;

use super::*;

const SECOND: u64 = 1_000_000_000;
const TCP: u8 = 6;
const UDP: u8 = 17;

fn flow(protocol: u8) -> (FlowKey, Flow, FlowKey, Flow) {
    let address = |text: &str| text.parse::<IpAddr>().unwrap().into();
    let key = FlowKey {
        source: address("192.0.2.1"),
        destination: address("10.96.0.1"),
        source_port_be: 4000_u16.to_be(),
        destination_port_be: 80_u16.to_be(),
        protocol,
        pad: [0; 3],
    };
    let forward = Flow {
        source: address("192.0.2.10"),
        destination: address("10.244.0.2"),
        source_port_be: 2000_u16.to_be(),
        destination_port_be: 8080_u16.to_be(),
        flags: Flow::FORWARD,
        last_ns: 100 * SECOND,
        port_id: 1,
        pad: 0,
    };
    let reply = Flow {
        source: key.destination,
        destination: key.source,
        source_port_be: key.destination_port_be,
        destination_port_be: key.source_port_be,
        flags: 0,
        last_ns: 0,
        port_id: 1,
        pad: 0,
    };
    (key, forward, forward.other(protocol), reply)
}

/// Whether the flow is there at a time, in seconds after its last packet.
fn stays(protocol: u8, change: impl Fn(&mut Flow, &mut Flow), after: u64) -> bool {
    let (key, mut forward, back, mut reply) = flow(protocol);
    change(&mut forward, &mut reply);
    let all = Map::from([(key, forward), (back, reply)]);
    let (over, kept) = over(&all, (100 + after) * SECOND, |_, _| false);
    assert_eq!(over.len(), if kept == 1 { 0 } else { 2 }, "both or none");
    kept == 1
}

#[test]
fn each_entry_names_the_other() {
    let (key, forward, back, reply) = flow(TCP);
    assert_eq!(forward.other(TCP), back);
    assert_eq!(reply.other(TCP), key);
}

#[test]
fn a_flow_lives_as_long_as_its_state_says() {
    let answered = |_: &mut Flow, reply: &mut Flow| reply.last_ns = 99 * SECOND;
    let half = |forward: &mut Flow, reply: &mut Flow| {
        reply.last_ns = 99 * SECOND;
        forward.flags |= Flow::FIN;
    };
    let closed = |forward: &mut Flow, reply: &mut Flow| {
        reply.last_ns = 99 * SECOND;
        forward.flags |= Flow::FIN;
        reply.flags |= Flow::FIN;
    };
    let reset = |_: &mut Flow, reply: &mut Flow| {
        reply.last_ns = 99 * SECOND;
        reply.flags |= Flow::RST;
    };
    let newer = |_: &mut Flow, reply: &mut Flow| reply.last_ns = 150 * SECOND;
    type Change = fn(&mut Flow, &mut Flow);
    let rows: [(&str, u8, Change, u64); 8] = [
        ("a SYN that nobody answers", TCP, |_, _| {}, 60),
        ("a connection", TCP, answered, 8_000),
        ("one end closed", TCP, half, 300),
        ("both closed", TCP, closed, 120),
        ("reset", TCP, reset, 10),
        ("a datagram that nobody answers", UDP, |_, _| {}, 30),
        ("a conversation", UDP, answered, 120),
        ("counted from the last of either side", UDP, newer, 170),
    ];
    for (name, protocol, change, seconds) in rows {
        assert!(stays(protocol, change, seconds), "{name}");
        assert!(!stays(protocol, change, seconds + 1), "{name}");
    }
}

#[test]
fn what_is_cut_goes_with_its_answers_and_nothing_else() {
    let (key, forward, back, reply) = flow(UDP);
    let (mut key2, mut forward2, _, reply2) = flow(UDP);
    key2.source_port_be = 4001_u16.to_be();
    forward2.source_port_be = 2001_u16.to_be();
    forward2.destination = "10.244.0.3".parse::<IpAddr>().unwrap().into();
    let back2 = forward2.other(UDP);
    let all = Map::from([
        (key, forward),
        (back, reply),
        (key2, forward2),
        (back2, reply2),
    ]);
    let cut = |_: &FlowKey, flow: &Flow| flow.destination == forward.destination;
    let (over, kept) = over(&all, 101 * SECOND, cut);
    assert_eq!((over, kept), (vec![key, back], 1), "forward goes first");
}

#[test]
fn half_a_flow_is_given_time_to_be_completed() {
    let (_, _, back, mut reply) = flow(TCP);
    reply.last_ns = 100 * SECOND;
    let all = Map::from([(back, reply)]);
    assert!(over(&all, 160 * SECOND, |_, _| false).0.is_empty());
    assert_eq!(over(&all, 161 * SECOND, |_, _| false).0, [back]);
}
