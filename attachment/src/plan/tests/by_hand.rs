//! Whose hand a difference is: of the switch's columns, and of what is in the pod.

use netlink::MacAddr;

use super::events::{nothing, row};
use super::fixture::*;
use super::*;
use crate::view::LinkView;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = columns();
    rows.extend(pod_side());
    rows
}

pub(super) fn complete(world: &World) -> Vec<Action> {
    vec![Action::CompletePort { key: world.key() }]
}

fn restore_pod(world: &World, drift: Drift) -> Vec<Action> {
    vec![Action::RestorePod {
        key: world.key(),
        drift: vec![drift],
    }]
}

fn columns() -> Vec<Row> {
    vec![
        row(
            "the row lacks its tag",
            SWITCHED,
            |w| w.records[0].port.switch_mut().unwrap().vlan = Some(42),
            complete,
        ),
        row(
            "the operator has changed the tag",
            SWITCHED,
            |w| {
                w.records[0].port.switch_mut().unwrap().vlan = Some(42);
                w.row().tag = Some(7);
            },
            nothing,
        ),
        row(
            "the row lacks its trunks",
            SWITCHED,
            |w| w.records[0].port.switch_mut().unwrap().trunks = vec![1, 2],
            complete,
        ),
        row(
            "the operator has changed the trunks",
            SWITCHED,
            |w| {
                w.records[0].port.switch_mut().unwrap().trunks = vec![1, 2];
                w.row().trunks = vec![3];
            },
            nothing,
        ),
        row(
            "the operator has set a tag where there was none",
            SWITCHED,
            |w| w.row().tag = Some(7),
            nothing,
        ),
        row(
            "the row lacks its MAC",
            INTERNAL,
            |w| w.row().mac = None,
            complete,
        ),
        row(
            "the row lacks its MTU request",
            INTERNAL,
            |w| w.row().mtu_request = None,
            complete,
        ),
        row(
            "the row lacks its ofport request",
            SWITCHED,
            |w| w.row().ofport_request = None,
            complete,
        ),
        row(
            "the operator asked for another ofport",
            SWITCHED,
            |w| {
                w.row().ofport_request = Some(99);
                w.row().ofport = Some(99);
            },
            nothing,
        ),
        row(
            "the row lacks its iface-id",
            SWITCHED,
            |w| {
                w.row().external_ids.remove("iface-id");
            },
            complete,
        ),
        row(
            "a controller has changed the iface-id",
            SWITCHED,
            |w| {
                let id = ("iface-id".to_owned(), "lsp-7".to_owned());
                w.row().external_ids.extend([id]);
            },
            nothing,
        ),
    ]
}

fn pod_side() -> Vec<Row> {
    vec![
        row(
            "the pod's MTU was changed",
            ALL,
            |w| w.eth0().mtu = 1500,
            |w| {
                let drift = Drift::Mtu {
                    name: "eth0".to_owned(),
                    found: 1500,
                    expected: 1400,
                };
                restore_pod(w, drift)
            },
        ),
        row(
            "the record has no MTU",
            ALL,
            |w| {
                w.records[0].mtu = 0;
                w.eth0().mtu = 9000;
            },
            nothing,
        ),
        row(
            "the pod's MAC was changed",
            ALL,
            |w| w.eth0().mac = Some(MacAddr([2, 0, 0, 0, 0, 99])),
            |w| {
                let drift = Drift::Mac {
                    name: "eth0".to_owned(),
                    found: Some(MacAddr([2, 0, 0, 0, 0, 99])),
                    expected: w.record().mac,
                };
                restore_pod(w, drift)
            },
        ),
        row(
            "the pod's interface is down",
            &[ROUTED, VETH_K, VETH_U, RENAME_K, BOND_K, BOND_U, MACVLAN_K],
            |w| w.eth0().up = false,
            |w| restore_pod(w, Drift::PodLinkDown("eth0".to_owned())),
        ),
        row(
            "an address is missing",
            ALL,
            |w| w.pod().addresses.clear(),
            |w| restore_pod(w, Drift::AddressMissing(w.record().addresses[0].address)),
        ),
        row(
            "a route is missing",
            ALL,
            |w| w.pod().routes.clear(),
            |w| restore_pod(w, Drift::RouteMissing(w.record().routes[0].clone())),
        ),
        row(
            "the default route goes elsewhere",
            ALL,
            |w| w.pod().routes[0].gateway = Some("10.1.0.1".parse().unwrap()),
            |w| restore_pod(w, Drift::RouteMissing(w.record().routes[0].clone())),
        ),
        row(
            "a neighbour is missing",
            ALL,
            |w| w.pod().neighbours.clear(),
            |w| restore_pod(w, Drift::NeighbourMissing(w.record().neighbours[0].clone())),
        ),
        row(
            "a sysctl was changed",
            ALL,
            |w| {
                for value in w.pod().sysctls.values_mut() {
                    *value = "0".to_owned();
                }
            },
            |w| {
                let drift = Drift::Sysctl {
                    key: "net/ipv4/conf/eth0/arp_notify".to_owned(),
                    found: Some("0".to_owned()),
                    expected: "1".to_owned(),
                };
                restore_pod(w, drift)
            },
        ),
        row(
            "the pod has added what is its own",
            ALL,
            |w| {
                let state = w.pod();
                state.addresses.push("192.0.2.1/32".parse().unwrap());
                let dst = "192.0.2.0/24".parse().unwrap();
                state.routes.push(crate::record::Route::via(dst, None));
                state.links.push(tunnel());
            },
            nothing,
        ),
    ]
}

/// A device that a pod made for itself.
fn tunnel() -> LinkView {
    LinkView {
        index: 50,
        name: "wg0".to_owned(),
        kind: Some("wireguard".to_owned()),
        ..LinkView::default()
    }
}
