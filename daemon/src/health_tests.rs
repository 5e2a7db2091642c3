//! What makes a node unhealthy and what does not.

use attachment::record::Key;

use super::*;
use crate::board::{Board, Identity};
use crate::report::{CorruptRecord, PortReport};

fn port(bridge: Option<&str>, state: PortState) -> PortReport {
    PortReport {
        pod: Some("default/web".to_owned()),
        container_id: "c1".to_owned(),
        ifname: "eth0".to_owned(),
        network: "net".to_owned(),
        strategy: "bond".to_owned(),
        bridge: bridge.map(str::to_owned),
        port: "brt000000000000".to_owned(),
        netns: "/run/netns/x".to_owned(),
        mac: None,
        mtu: None,
        addresses: vec![],
        state,
        problem: None,
        repairs: 0,
        repaired_at_us: None,
        repair_took_ms: None,
    }
}

fn board() -> Board {
    let board = Board::new(Identity::default(), "/s");
    board.facts().passes.full = 1;
    board
}

#[test]
fn a_node_without_ports_on_a_switch_needs_no_switch() {
    let board = board();
    let mut facts = board.facts();
    facts
        .ports
        .insert(Key::new("c1", "eth0"), port(None, PortState::Ready));
    assert_eq!(node_problems(&facts, Instant::now()), Vec::<String>::new());
}

#[test]
fn a_switch_that_is_away_is_named_with_the_ports_on_it() {
    let board = board();
    let mut facts = board.facts();
    facts
        .ports
        .insert(Key::new("c1", "eth0"), port(Some("br0"), PortState::Ready));
    let problems = node_problems(&facts, Instant::now());
    assert_eq!(
        problems,
        [
            "OVSDB does not answer at /s (not tried yet); 1 ports are on Open vSwitch",
            "ovs-vswitchd does not run; 1 ports are on Open vSwitch",
        ]
    );
}

#[test]
fn one_pod_in_trouble_is_told_but_does_not_fail_the_node() {
    let board = board();
    let mut facts = board.facts();
    facts
        .ports
        .insert(Key::new("c1", "eth0"), port(None, PortState::Failing));
    facts.corrupt_records.push(CorruptRecord {
        path: "/r".to_owned(),
        problem: "cut off".to_owned(),
    });
    assert!(node_problems(&facts, Instant::now()).is_empty());
    assert_eq!(
        problems(&facts, Instant::now()),
        [
            "record /r: cut off",
            "port brt000000000000 of default/web is failing: no error"
        ]
    );
    let counts = port_counts(&facts);
    assert_eq!((counts.total, counts.ready, counts.troubled), (1, 0, 1));
}

#[test]
fn many_troubled_ports_are_counted_not_listed() {
    let board = board();
    let mut facts = board.facts();
    for n in 0..13 {
        facts.ports.insert(
            Key::new(&format!("c{n}"), "eth0"),
            port(None, PortState::PodGone),
        );
    }
    let problems = problems(&facts, Instant::now());
    assert_eq!(problems.len(), 11);
    assert_eq!(problems[10], "and 3 more ports");
}

#[test]
fn only_a_pass_that_does_not_end_makes_it_dead() {
    let board = board();
    let mut facts = board.facts();
    let start = Instant::now();
    facts.pass_since = Some(start);
    assert_eq!(not_alive(&facts, start + Duration::from_secs(59)), None);
    assert_eq!(
        not_alive(&facts, start + Duration::from_secs(61)).as_deref(),
        Some("a pass has been under way for 61 s")
    );
}

#[test]
fn before_the_first_pass_it_is_not_ready() {
    let board = Board::new(Identity::default(), "/s");
    assert!(not_ready(&board.facts()).is_some());
}

#[test]
fn a_switch_that_is_away_is_told_once_and_not_for_every_port() {
    let board = board();
    let mut facts = board.facts();
    for n in 0..5 {
        facts.ports.insert(
            Key::new(&format!("c{n}"), "eth0"),
            port(Some("br0"), PortState::Unknown),
        );
    }
    facts
        .ports
        .insert(Key::new("r", "eth0"), port(None, PortState::Failing));
    let problems = problems(&facts, Instant::now());
    assert_eq!(problems.len(), 3, "{problems:#?}");
    assert_eq!(
        problems[2],
        "port brt000000000000 of default/web is failing: no error"
    );
}
