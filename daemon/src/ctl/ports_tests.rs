//! The table, and what is known without a daemon.

use super::*;
use crate::report::{CorruptRecord, PortReport, PortState};

fn port(container_id: &str, pod: Option<&str>) -> PortReport {
    PortReport {
        pod: pod.map(str::to_owned),
        container_id: container_id.to_owned(),
        ifname: "eth0".to_owned(),
        network: "net".to_owned(),
        strategy: "rename".to_owned(),
        bridge: Some("br0".to_owned()),
        port: "brt0123456789ab".to_owned(),
        netns: "/run/netns/x".to_owned(),
        mac: Some("02:00:00:00:00:01".to_owned()),
        mtu: Some(1500),
        addresses: vec!["10.1.0.2/24".to_owned(), "fd00::2/64".to_owned()],
        state: PortState::Ready,
        problem: None,
        repairs: 0,
        repaired_at_us: None,
        repair_took_ms: None,
    }
}

#[test]
fn the_table_reads_like_this() {
    let mut lost = port("0123456789abcdef0123", Some("default/web"));
    lost.state = PortState::Failing;
    lost.problem = Some("the pod's namespace is gone".to_owned());
    let report = PortsReport {
        source: "daemon".to_owned(),
        ports: vec![port("c1", None), lost],
        corrupt_records: vec![CorruptRecord {
            path: "/r".to_owned(),
            problem: "/r is no attachment record".to_owned(),
        }],
    };
    let expected = "\
POD          CONTAINER      INTERFACE  STATE    STRATEGY  BRIDGE  PORT             ADDRESSES               MAC                MTU   PROBLEM
             c1             eth0       ready    rename    br0     brt0123456789ab  10.1.0.2/24,fd00::2/64  02:00:00:00:00:01  1500
default/web  0123456789abc  eth0       failing  rename    br0     brt0123456789ab  10.1.0.2/24,fd00::2/64  02:00:00:00:00:01  1500  the pod's namespace is gone
records that cannot be read:
  /r is no attachment record
";
    assert_eq!(table(&report), expected);
    assert!(!report.healthy());
}

#[test]
fn no_attachments_are_told_in_words() {
    let report = PortsReport {
        source: "daemon".to_owned(),
        ports: vec![],
        corrupt_records: vec![],
    };
    assert_eq!(table(&report), "no attachments\n");
}

#[test]
fn a_corrupt_record_is_listed_and_a_missing_directory_is_empty() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let report = from_records(dir.path()).expect("empty");
    assert!(report.ports.is_empty());
    let store = Store::open(dir.path()).expect("store");
    let path = store.directory().join("c1.eth0.json");
    std::fs::write(&path, "{\"version\":1,").expect("write");
    let report = from_records(dir.path()).expect("read");
    assert_eq!(report.corrupt_records.len(), 1);
    assert_eq!(report.corrupt_records[0].path, path.display().to_string());
    assert_eq!(report.source, "records");
}
