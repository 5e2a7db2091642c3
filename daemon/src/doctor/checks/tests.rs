//! Each check on a scene that has what it looks for, and all of them on one that has nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use attachment::names;
use attachment::record::{
    Attachment, Datapath, NetnsRef, Phase, Pod as PodName, Port, RoutedPort, SwitchPort,
};
use netlink::{Link, MacAddr};
use ovs::{Bridge, System};

use super::super::scene::{KernelScene, Lease, Pod, Scene, SwitchScene};
use super::ALL;
use crate::confs::{Conf, Network};
use crate::report::{Finding, Severity};

const SOCKET: &str = "/run/openvswitch/db.sock";

fn record(container_id: &str, port: Port) -> Attachment {
    let netns = NetnsRef {
        path: PathBuf::from(format!("/run/netns/{container_id}")),
        dev: 1,
        inode: 2,
    };
    let mac = MacAddr([2, 0, 0, 0, 0, 1]);
    let mut record = Attachment::new(container_id, "eth0", "net", netns, port, mac);
    record.phase = Phase::Ready;
    record.mtu = 1500;
    record.pod = Some(PodName {
        namespace: "default".to_owned(),
        name: container_id.to_owned(),
        uid: String::new(),
    });
    record
}

fn on_switch(datapath: Datapath) -> SwitchPort {
    SwitchPort::new(SOCKET, "br0", datapath)
}

fn link(name: &str, mtu: u32) -> Link {
    Link {
        index: 7,
        name: name.to_owned(),
        kind: None,
        mac: None,
        mtu,
        up: true,
        running: true,
        master: None,
        lower: None,
        link_netns: None,
        alias: None,
        group: 0,
    }
}

fn bridge(datapath: ovs::Datapath) -> Bridge {
    Bridge {
        uuid: "01234567-89ab-cdef-0123-456789abcdef"
            .parse()
            .expect("uuid"),
        name: "br0".to_owned(),
        datapath,
        fail_mode: None,
        ports: vec![],
        datapath_id: None,
        external_ids: BTreeMap::new(),
        other_config: BTreeMap::new(),
    }
}

fn system(version: &str) -> System {
    System {
        ovs_version: Some(version.to_owned()),
        db_version: None,
        datapath_types: vec![],
        iface_types: vec![],
        next_cfg: 1,
        cur_cfg: 1,
        other_config: BTreeMap::new(),
        external_ids: BTreeMap::new(),
    }
}

/// A node with one pod on a bond, and nothing wrong.
fn good() -> Scene {
    let record = record("web", Port::Bond(on_switch(Datapath::Kernel)));
    let switch = SwitchScene {
        vswitchd: Some(42),
        system: Some(system("3.3.9")),
        bridges: vec![bridge(ovs::Datapath::Kernel)],
        owned: vec![],
    };
    Scene {
        state_dir: PathBuf::from("/run/berth"),
        ovsdb: PathBuf::from(SOCKET),
        wall: record.created,
        boot: 1000,
        daemon: true,
        pods: BTreeMap::from([(record.key(), Pod::Alive(Some(1500)))]),
        records: vec![record],
        switches: BTreeMap::from([(PathBuf::from(SOCKET), Ok(switch))]),
        links: vec![link("br0", 1500), link("uplink", 1500)],
        uplinks: vec!["uplink".to_owned()],
        kernel: KernelScene {
            openvswitch: true,
            ..KernelScene::default()
        },
        ..Scene::default()
    }
}

fn switch(scene: &mut Scene) -> &mut SwitchScene {
    let switch = scene.switches.values_mut().next().expect("a switch");
    switch.as_mut().expect("it answers")
}

fn examine(scene: &Scene) -> Vec<Finding> {
    let mut found = Vec::new();
    for (_, check) in ALL {
        check(scene, &mut found);
    }
    found
}

/// Changes the good scene and expects exactly one finding, which it returns.
fn only(change: impl FnOnce(&mut Scene), check: &str, severity: Severity) -> Finding {
    let mut scene = good();
    change(&mut scene);
    let mut found = examine(&scene);
    assert_eq!(found.len(), 1, "{found:#?}");
    let finding = found.remove(0);
    assert_eq!(
        (finding.check.as_str(), finding.severity),
        (check, severity)
    );
    assert!(!finding.advice.is_empty());
    finding
}

#[test]
fn a_good_node_has_nothing() {
    assert_eq!(examine(&good()), []);
}

#[test]
fn names_are_those_of_the_findings() {
    for (index, (name, _)) in ALL.iter().enumerate() {
        assert!(ALL[..index].iter().all(|(other, _)| other != name));
    }
}

#[test]
fn a_daemon_that_does_not_answer() {
    only(|s| s.daemon = false, "daemon", Severity::Error);
    let failure = ("web/eth0".to_owned(), "no such device".to_owned());
    let finding = only(|s| s.failures = vec![failure], "daemon", Severity::Error);
    assert!(finding.problem.contains("no such device"));
}

#[test]
fn a_database_that_does_not_answer() {
    let away = |s: &mut Scene| {
        s.switches
            .insert(PathBuf::from(SOCKET), Err("refused".to_owned()));
    };
    let finding = only(away, "ovsdb", Severity::Error);
    assert!(finding.problem.contains("1 attachments"), "{finding:?}");
    let unused = |s: &mut Scene| {
        away(s);
        s.records.clear();
    };
    only(unused, "ovsdb", Severity::Note);
}

#[test]
fn a_switch_that_the_daemon_does_not_follow() {
    let other = |s: &mut Scene| {
        s.ovsdb = PathBuf::from("/other.sock");
        s.switches
            .insert(s.ovsdb.clone(), Ok(SwitchScene::default()));
    };
    only(other, "ovsdb", Severity::Warning);
}

#[test]
fn a_dead_vswitchd() {
    only(|s| switch(s).vswitchd = None, "vswitchd", Severity::Error);
}

#[test]
fn a_kernel_datapath_without_its_module() {
    let change = |s: &mut Scene| s.kernel.openvswitch = false;
    let finding = only(change, "openvswitch-module", Severity::Error);
    assert!(finding.advice.contains("modprobe openvswitch"));
    let mut userspace = good();
    change(&mut userspace);
    switch(&mut userspace).bridges = vec![bridge(ovs::Datapath::Userspace)];
    assert_eq!(examine(&userspace), []);
}

#[test]
fn flow_restore_wait_left_true() {
    let change = |s: &mut Scene| {
        let mut system = system("3.3.9");
        let option = ("flow-restore-wait".to_owned(), "true".to_owned());
        system.other_config.extend([option]);
        switch(s).system = Some(system);
    };
    only(change, "flow-restore-wait", Severity::Error);
}

#[test]
fn a_version_with_a_known_bug() {
    let change = |s: &mut Scene| switch(s).system = Some(system("3.1.0"));
    only(change, "ovs-version", Severity::Note);
}

#[test]
fn a_rename_on_a_kernel_datapath() {
    let change = |s: &mut Scene| s.records[0].port = Port::Rename(on_switch(Datapath::Kernel));
    only(change, "rename-on-kernel", Severity::Warning);
}

#[test]
fn records_that_are_broken_or_of_the_dead() {
    let broken = ("/r".to_owned(), "cut off".to_owned());
    only(|s| s.broken = vec![broken], "records", Severity::Error);
    for pod in [Pod::Gone, Pod::Replaced] {
        let key = good().records[0].key();
        let change = |s: &mut Scene| drop(s.pods.insert(key, pod));
        only(change, "records", Severity::Warning);
    }
    let old = |s: &mut Scene| {
        s.records[0].phase = Phase::Adding;
        s.wall += attachment::plan::ADDING_STALE;
    };
    only(old, "records", Severity::Warning);
}

#[test]
fn a_ghost_in_root() {
    let port = good().records[0].port_name.clone();
    let change = |s: &mut Scene| s.links.push(link(&port, 1500));
    let finding = only(change, "ghosts", Severity::Error);
    assert!(finding.problem.contains("default/web"));
    let unknown = names::port_name("nobody", "eth0");
    let change = |s: &mut Scene| s.links.push(link(&unknown, 1500));
    only(change, "ghosts", Severity::Warning);
}

#[test]
fn a_lease_of_nobody() {
    let lease = |container_id: &str, network: &str| Lease {
        network: network.to_owned(),
        address: "10.1.0.9".to_owned(),
        container_id: container_id.to_owned(),
        ifname: "eth0".to_owned(),
        taken_at: 999,
    };
    let change = |s: &mut Scene| {
        s.leases = vec![
            lease("gone", "net"),
            lease("web", "net"),
            lease("gone", "someone-elses"),
        ];
    };
    let finding = only(change, "leases", Severity::Warning);
    assert!(finding.advice.contains("older than the last boot"));
}

#[test]
fn mtus_that_differ() {
    let key = good().records[0].key();
    let pod = |s: &mut Scene| drop(s.pods.insert(key, Pod::Alive(Some(1400))));
    only(pod, "mtu", Severity::Warning);
    let bridge = |s: &mut Scene| s.links[0].mtu = 1400;
    let finding = only(bridge, "mtu", Severity::Warning);
    assert!(finding.problem.contains("br0, 1400"), "{finding:?}");
    let routed = |s: &mut Scene| {
        let host_mac = MacAddr([2, 0, 0, 0, 0, 2]);
        s.records[0].port = Port::Routed(RoutedPort { host_mac });
        s.links[1].mtu = 1450;
    };
    let finding = only(routed, "mtu", Severity::Warning);
    assert!(finding.problem.contains("uplink, 1450"), "{finding:?}");
}

#[test]
fn features_that_the_kernel_lacks() {
    let lacks = |feature: &'static str| {
        move |s: &mut Scene| {
            s.kernel.missing.insert(feature, "not supported".to_owned());
        }
    };
    only(lacks("bonding"), "kernel-features", Severity::Error);
    only(lacks("macvlan"), "kernel-features", Severity::Note);
    only(lacks("tun"), "kernel-features", Severity::Warning);
    let untried = |s: &mut Scene| s.kernel.untried = Some("not root".to_owned());
    only(untried, "kernel-features", Severity::Note);
}

#[test]
fn namespaces_that_cannot_be_seen() {
    for pod in [Pod::NotMounted, Pod::Unseen("no access".to_owned())] {
        let key = good().records[0].key();
        let change = |s: &mut Scene| drop(s.pods.insert(key, pod));
        only(change, "namespaces", Severity::Error);
    }
    let dead = vec![PathBuf::from("/run/netns/dead")];
    only(|s| s.dead_namespaces = dead, "namespaces", Severity::Note);
}

#[test]
fn configurations_in_the_wrong_order() {
    let conf = |file: &str, types: &[&str]| Conf {
        file: file.to_owned(),
        content: Ok(Network {
            name: "net".to_owned(),
            types: types.iter().map(|t| (*t).to_owned()).collect(),
            data_dir: None,
        }),
    };
    let behind = vec![conf("10-a", &["bridge"]), conf("20-b", &["berth"])];
    let finding = only(|s| s.confs = behind, "conflist", Severity::Warning);
    assert!(finding.problem.contains("10-a"));
    let after = vec![conf("10-a", &["portmap", "berth"])];
    only(|s| s.confs = after, "conflist", Severity::Error);
    let broken = vec![
        conf("10-a", &["berth", "portmap"]),
        Conf {
            file: "20-b".to_owned(),
            content: Err("no name".to_owned()),
        },
    ];
    only(|s| s.confs = broken, "conflist", Severity::Warning);
}

#[test]
fn what_could_not_be_looked_at() {
    let blind = ("devices of the node".to_owned(), "not root".to_owned());
    only(|s| s.blind = vec![blind], "blind", Severity::Warning);
}
