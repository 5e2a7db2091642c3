//! What an operator reads.

use super::*;
use crate::report::{
    Event, EventKind, Failure, OvsdbStatus, PassStatus, PortCounts, VswitchdStatus,
};

const NOW: u64 = 1_795_260_030_123_000;

fn status() -> StatusReport {
    StatusReport {
        healthy: false,
        problems: vec!["record /r: cut off".to_owned()],
        node: "n1".to_owned(),
        version: "0.1.0".to_owned(),
        commit: "abc".to_owned(),
        abi_version: 0,
        pid: 42,
        started_at_us: NOW - 61_000_000,
        resident_bytes: 10 << 20,
        state_dir: "/run/berth".to_owned(),
        healthz: None,
        metrics: Some("127.0.0.1:10249".to_owned()),
        ovsdb: OvsdbStatus {
            socket: "/s".to_owned(),
            connected: false,
            error: Some("connection refused".to_owned()),
        },
        vswitchd: VswitchdStatus {
            pid: None,
            error: None,
            deaths: 1,
            died_at_us: Some(NOW - 2_000_000),
        },
        passes: PassStatus {
            full: 3,
            partial: 4,
            failed: 0,
            last_at_us: Some(NOW - 1_000_000),
            last_took_ms: Some(2.25),
            last_cause: Some("link ×3".to_owned()),
            error: None,
        },
        ports: PortCounts {
            total: 3,
            ready: 2,
            changing: 0,
            troubled: 1,
        },
        services: None,
        failures: vec![Failure {
            subject: "c1/eth0".to_owned(),
            error: "no such device".to_owned(),
            attempts: 2,
            retry_at_us: NOW + 3_000_000,
        }],
        corrupt_records: vec![],
        events: vec![Event {
            sequence: 1,
            at_us: NOW,
            kind: EventKind::Repaired,
            subject: "c1/eth0".to_owned(),
            detail: "move-in".to_owned(),
            took_ms: Some(42.125),
        }],
    }
}

#[test]
fn the_table_reads_like_this() {
    let expected = "\
node n1: NOT HEALTHY
  - record /r: cut off
daemon        0.1.0 (commit abc), process 42, up 1m 1s, 10.0 MiB
ports         3: 2 ready, 0 changing, 1 in trouble
OVSDB         not connected at /s: connection refused
ovs-vswitchd  does not run, died 1 times, last 2s ago
services      not programmed
programs      none
passes        3 full, 4 partial, 0 failed
last pass     1s ago, 2.2 ms, because of link ×3
healthz       off
metrics       127.0.0.1:10249
tried again:
  WHAT     FAILED  NEXT IN  ERROR
  c1/eth0  2       3s       no such device
last events:
  TIME          EVENT     WHAT     TOOK     DETAIL
  11:20:30.123  repaired  c1/eth0  42.1 ms  move-in
";
    assert_eq!(table(&status(), NOW), expected);
}

#[test]
fn json_and_yaml_read_back_to_the_same_document() {
    let status = status();
    let json = print(Format::Json, &status, |_| String::new()).expect("json");
    assert_eq!(
        serde_json::from_str::<StatusReport>(&json).expect("reads back"),
        status
    );
    let yaml = print(Format::Yaml, &status, |_| String::new()).expect("yaml");
    for line in ["healthy: false", "node: n1", "  deaths: 1"] {
        assert!(yaml.lines().any(|l| l == line), "no {line:?} in\n{yaml}");
    }
}
