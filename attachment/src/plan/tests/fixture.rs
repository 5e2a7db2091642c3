//! Healthy attachments of every kind, as the kernel and OVSDB would show them.

use std::path::PathBuf;

use netlink::MacAddr;

use super::*;
use crate::record::{Address, Datapath, Neighbour, NetnsRef, Port, Route, RoutedPort, SwitchPort};
use crate::view::{LinkView, PortView, RootView, SwitchState};

/// A strategy on a datapath. The routed one has none; its datapath means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    pub strategy: Strategy,
    pub datapath: Datapath,
}

const fn case(strategy: Strategy, datapath: Datapath) -> Case {
    Case { strategy, datapath }
}

pub const ROUTED: Case = case(Strategy::Routed, Datapath::Kernel);
pub const VETH_K: Case = case(Strategy::Veth, Datapath::Kernel);
pub const VETH_U: Case = case(Strategy::Veth, Datapath::Userspace);
pub const RENAME_K: Case = case(Strategy::Rename, Datapath::Kernel);
pub const RENAME_U: Case = case(Strategy::Rename, Datapath::Userspace);
pub const BOND_K: Case = case(Strategy::Bond, Datapath::Kernel);
pub const BOND_U: Case = case(Strategy::Bond, Datapath::Userspace);
pub const MACVLAN_K: Case = case(Strategy::Macvlan, Datapath::Kernel);
pub const MACVLAN_U: Case = case(Strategy::Macvlan, Datapath::Userspace);

pub const SWITCHED: &[Case] = &[
    VETH_K, VETH_U, RENAME_K, RENAME_U, BOND_K, BOND_U, MACVLAN_K, MACVLAN_U,
];
pub const ALL: &[Case] = &[
    ROUTED, VETH_K, VETH_U, RENAME_K, RENAME_U, BOND_K, BOND_U, MACVLAN_K, MACVLAN_U,
];
pub const INTERNAL: &[Case] = &[RENAME_K, RENAME_U, BOND_K, BOND_U, MACVLAN_K, MACVLAN_U];
pub const VETHS: &[Case] = &[ROUTED, VETH_K, VETH_U];
pub const MACVLANS: &[Case] = &[MACVLAN_K, MACVLAN_U];
pub const BONDS: &[Case] = &[BOND_K, BOND_U];

pub const SOCKET: &str = "/run/openvswitch/db.sock";
pub const BRIDGE: &str = "br-int";
pub const STATE: &str = "/run/berth";
pub const NOW: Duration = Duration::from_secs(1000);
pub const CREATED: u64 = 1_000_000;

/// Index of the port's device where it is, and of a fresh one in the root namespace.
pub const PORT_INDEX: u32 = 10;
pub const FRESH_INDEX: u32 = 20;
pub const BOND_INDEX: u32 = 3;

/// The `number`th record.
pub fn record_of(case: Case, number: u8) -> Attachment {
    let mac = MacAddr([0x0a, 0x58, 10, 1, 0, number]);
    let switch = SwitchPort {
        ofport: Some(5),
        ..SwitchPort::new(SOCKET, BRIDGE, case.datapath)
    };
    let port = Port::on_switch(case.strategy, switch).unwrap_or(Port::Routed(RoutedPort {
        host_mac: MacAddr([2, 0, 0, 0, 0, number]),
    }));
    let netns = NetnsRef {
        path: PathBuf::from(format!("/run/netns/p{number}")),
        dev: 4,
        inode: 4_026_532_000 + u64::from(number),
    };
    let mut record = Attachment::new(&format!("c{number}"), "eth0", "net", netns, port, mac);
    record.phase = Phase::Ready;
    record.created = CREATED;
    record.mtu = 1400;
    record.addresses = vec![Address {
        address: format!("10.1.0.{number}/24").parse().unwrap(),
        gateway: None,
    }];
    record.routes = vec![Route::via(
        "0.0.0.0/0".parse().unwrap(),
        Some("10.1.0.254".parse().unwrap()),
    )];
    record.neighbours = vec![Neighbour {
        address: "10.1.0.254".parse().unwrap(),
        mac: MacAddr([2, 2, 2, 2, 2, 2]),
    }];
    record.sysctls = [("net/ipv4/conf/eth0/arp_notify".to_owned(), "1".to_owned())].into();
    let ids = names::external_ids(&record, STATE.as_ref());
    if let Some(port) = record.port.switch_mut() {
        port.external_ids = ids;
    }
    record
}

/// Everything in its place for all `records`.
pub fn observed_of(records: &[Attachment]) -> Observed {
    let mut observed = Observed {
        now: NOW,
        wall: CREATED + 10,
        state_dir: STATE.into(),
        complete: true,
        root: RootView::default(),
        ..Observed::default()
    };
    for record in records {
        let state = pod_of(record);
        observed.pods.insert(record.key(), PodView::Alive(state));
        if let Some(link) = root_link_of(record) {
            for address in &record.addresses {
                let route = (address.address.ip(), link.index);
                observed.root.host_routes.insert(route);
            }
            observed.root.links.insert(link.name.clone(), link);
        }
        let Some(port) = record.port.switch() else {
            continue;
        };
        let view = observed
            .switches
            .entry(port.socket.clone())
            .or_insert_with(|| SwitchView::Present(SwitchState::default()));
        let SwitchView::Present(state) = view else {
            unreachable!("only present switches are made above")
        };
        state.vswitchd_alive = true;
        state
            .bridges
            .insert(port.bridge.clone(), Some(port.datapath));
        state.ports.insert(record.port_name.clone(), row_of(record));
    }
    observed
}

/// A device of ours.
pub fn link(record: &Attachment, index: u32, name: &str, kind: &str) -> LinkView {
    LinkView {
        index,
        name: name.to_owned(),
        kind: Some(kind.to_owned()),
        mac: Some(record.mac),
        mtu: record.mtu,
        up: true,
        carrier: true,
        alias: Some(record.key().alias()),
        ..LinkView::default()
    }
}

/// Kind of the device that vswitchd makes.
pub fn internal_kind(record: &Attachment) -> &'static str {
    match record.port.switch().map(|port| port.datapath) {
        Some(Datapath::Userspace) => "tun",
        _ => "openvswitch",
    }
}

/// A port that vswitchd has just made in the root namespace: unmarked and down.
pub fn fresh(record: &Attachment) -> LinkView {
    LinkView {
        up: false,
        carrier: false,
        alias: None,
        ..link(
            record,
            FRESH_INDEX,
            &record.port_name,
            internal_kind(record),
        )
    }
}

fn pod_of(record: &Attachment) -> PodState {
    let eth0 = |index, kind| link(record, index, "eth0", kind);
    let links = match record.strategy() {
        Strategy::Routed | Strategy::Veth => vec![eth0(2, "veth")],
        Strategy::Rename => vec![eth0(PORT_INDEX, internal_kind(record))],
        Strategy::Bond => vec![
            eth0(BOND_INDEX, "bond"),
            LinkView {
                master: Some(BOND_INDEX),
                ..link(record, PORT_INDEX, &record.port_name, internal_kind(record))
            },
        ],
        Strategy::Macvlan => vec![LinkView {
            lower: Some(PORT_INDEX),
            lower_elsewhere: true,
            ..eth0(2, "macvlan")
        }],
    };
    PodState {
        links,
        addresses: record.addresses.iter().map(|a| a.address).collect(),
        routes: record.routes.clone(),
        neighbours: record.neighbours.clone(),
        sysctls: record.sysctls.clone(),
    }
}

fn root_link_of(record: &Attachment) -> Option<LinkView> {
    let kind = match record.strategy() {
        Strategy::Routed | Strategy::Veth => "veth",
        Strategy::Macvlan => internal_kind(record),
        Strategy::Rename | Strategy::Bond => return None,
    };
    let mut link = link(record, PORT_INDEX, &record.port_name, kind);
    if let Port::Routed(routed) = &record.port {
        link.mac = Some(routed.host_mac);
    }
    Some(link)
}

/// The row as ADD leaves it.
pub fn row_of(record: &Attachment) -> PortView {
    let port = record
        .port
        .switch()
        .expect("only ports of a switch have rows");
    let internal = record.strategy().is_internal();
    let moved = matches!(record.strategy(), Strategy::Rename | Strategy::Bond);
    PortView {
        bridge: port.bridge.clone(),
        interface_type: if internal { "internal" } else { "system" }.to_owned(),
        ofport: Some(5),
        ifindex: Some(if moved { 0 } else { i64::from(PORT_INDEX) }),
        mac: internal.then(|| record.mac.to_string()),
        mtu_request: internal.then_some(i64::from(record.mtu)),
        ofport_request: Some(5),
        external_ids: port.external_ids.clone(),
        ..PortView::default()
    }
}

impl World {
    pub fn record(&self) -> &Attachment {
        &self.records[0]
    }

    pub fn port_name(&self) -> String {
        self.records[0].port_name.clone()
    }

    pub fn pod(&mut self) -> &mut PodState {
        let key = self.key();
        match self.observed.pods.get_mut(&key) {
            Some(PodView::Alive(state)) => state,
            other => panic!("the pod is not alive: {other:?}"),
        }
    }

    pub fn pod_link(&mut self, name: &str) -> &mut LinkView {
        let links = &mut self.pod().links;
        links.iter_mut().find(|link| link.name == name).unwrap()
    }

    pub fn eth0(&mut self) -> &mut LinkView {
        self.pod_link("eth0")
    }

    pub fn switch(&mut self) -> &mut SwitchState {
        match self.observed.switches.get_mut(&PathBuf::from(SOCKET)) {
            Some(SwitchView::Present(state)) => state,
            other => panic!("the switch is not present: {other:?}"),
        }
    }

    pub fn row(&mut self) -> &mut PortView {
        let name = self.port_name();
        self.switch().ports.get_mut(&name).unwrap()
    }

    pub fn host_link(&mut self) -> &mut LinkView {
        let name = self.port_name();
        self.observed.root.links.get_mut(&name).unwrap()
    }

    /// vswitchd has made a port anew in the root namespace.
    pub fn fresh_in_root(&mut self) {
        let link = fresh(self.record());
        self.observed.root.links.insert(link.name.clone(), link);
    }

    pub fn lose_pod_link(&mut self, name: &str) {
        self.pod().links.retain(|link| link.name != name);
    }

    /// An earlier look saw the same, long enough ago.
    pub fn seen_before(&mut self, suspicion: Suspicion) {
        let first = self.observed.now - SECOND_LOOK;
        self.observed.memory.suspicions.insert(suspicion, first);
    }

    /// Further attachments of the same kind, as they are in a healthy node.
    pub fn more(&mut self, count: u8) {
        let port = &self.records[0].port;
        let case = Case {
            strategy: port.strategy(),
            datapath: port.switch().map_or(Datapath::Kernel, |s| s.datapath),
        };
        self.records
            .extend((2..2 + count).map(|number| record_of(case, number)));
        let memory = std::mem::take(&mut self.observed.memory);
        self.observed = observed_of(&self.records);
        self.observed.memory = memory;
    }

    /// All taps die with vswitchd.
    pub fn taps_die(&mut self) {
        for view in self.observed.pods.values_mut() {
            if let PodView::Alive(state) = view {
                for link in &mut state.links {
                    link.carrier = false;
                }
            }
        }
    }

    pub fn all_fresh_in_root(&mut self) {
        for record in &self.records {
            let link = fresh(record);
            self.observed.root.links.insert(link.name.clone(), link);
        }
    }

    /// A stand-in over the fresh port, held by vswitchd, in every pod.
    pub fn all_served(&mut self) {
        self.all_fresh_in_root();
        for link in self.observed.root.links.values_mut() {
            link.up = true;
            link.carrier = true;
        }
        for (record, view) in self.records.iter().zip(self.observed.pods.values_mut()) {
            if let PodView::Alive(state) = view {
                state.links = vec![LinkView {
                    lower: Some(FRESH_INDEX),
                    lower_elsewhere: true,
                    ..link(record, 30, "eth0", "macvlan")
                }];
            }
        }
    }
}

pub fn reported(world: &World, drift: Drift) -> Vec<Action> {
    vec![Action::Report {
        key: world.key(),
        drift,
    }]
}

pub fn look_again(world: &World, after: Duration) -> Vec<Action> {
    vec![Action::LookAgain {
        key: world.key(),
        at: world.observed.now + after,
    }]
}

pub fn keys(world: &World) -> Vec<Key> {
    world.records.iter().map(Attachment::key).collect()
}
