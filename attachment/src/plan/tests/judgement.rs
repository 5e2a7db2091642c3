//! What belongs to whom: when nothing may be deleted, when something may, and whose
//! hand a difference is.

use super::by_hand::complete;
use super::events::{nothing, row};
use super::fixture::*;
use super::*;
use crate::view::PortView;

fn release(world: &World) -> Vec<Action> {
    vec![Action::Release { key: world.key() }]
}

/// The pod is gone as the kernel leaves it: the host end of a veth goes with it.
fn pod_gone(world: &mut World, view: PodView) {
    let key = world.key();
    world.observed.pods.insert(key, view);
    if matches!(world.record().strategy(), Strategy::Routed | Strategy::Veth) {
        world.observed.root.links.clear();
    }
}

/// Our row without its record.
fn orphan(world: &mut World) {
    world.records.clear();
}

fn orphan_seen_before(world: &mut World) {
    let port = world.port_name();
    orphan(world);
    world.seen_before(Suspicion::Orphan {
        socket: SOCKET.into(),
        port,
    });
}

pub fn rows() -> Vec<Row> {
    let mut rows = pods();
    rows.extend(phases());
    rows.extend(strangers());
    rows.extend(orphans());
    rows.extend(super::by_hand::rows());
    rows
}

fn pods() -> Vec<Row> {
    vec![
        row(
            "the namespace is gone: first look",
            SWITCHED,
            |w| pod_gone(w, PodView::Gone),
            |w| look_again(w, SECOND_LOOK),
        ),
        row(
            "the namespace is gone: a second look too soon",
            SWITCHED,
            |w| {
                pod_gone(w, PodView::Gone);
                let first = w.observed.now - Duration::from_millis(500);
                let suspicion = Suspicion::PodGone(w.key());
                w.observed.memory.suspicions.insert(suspicion, first);
            },
            |w| look_again(w, SECOND_LOOK - Duration::from_millis(500)),
        ),
        row(
            "the namespace is gone: second look",
            SWITCHED,
            |w| {
                pod_gone(w, PodView::Gone);
                let key = w.key();
                w.seen_before(Suspicion::PodGone(key));
            },
            release,
        ),
        row(
            "the path names another namespace: first look",
            SWITCHED,
            |w| pod_gone(w, PodView::Replaced),
            |w| look_again(w, SECOND_LOOK),
        ),
        row(
            "the path names another namespace: second look",
            SWITCHED,
            |w| {
                pod_gone(w, PodView::Replaced);
                let key = w.key();
                w.seen_before(Suspicion::PodGone(key));
            },
            release,
        ),
        row(
            "the path is gone but the veth lives: so does the namespace",
            VETHS,
            |w| {
                let key = w.key();
                w.observed.pods.insert(key.clone(), PodView::Gone);
                w.seen_before(Suspicion::PodGone(key));
            },
            |w| reported(w, Drift::PodGone),
        ),
        row(
            "the namespace of a routed pod is gone, and all with it",
            &[ROUTED],
            |w| pod_gone(w, PodView::Gone),
            |w| reported(w, Drift::PodGone),
        ),
        row(
            "a ghost in root of a pod that is gone",
            &[RENAME_K, RENAME_U],
            |w| {
                pod_gone(w, PodView::Gone);
                w.fresh_in_root();
                let key = w.key();
                w.seen_before(Suspicion::PodGone(key));
            },
            release,
        ),
        row(
            "the namespace is gone and OVSDB is away",
            &[RENAME_K, RENAME_U, BOND_K, BOND_U, VETH_K, VETH_U],
            |w| {
                pod_gone(w, PodView::Gone);
                let key = w.key();
                w.seen_before(Suspicion::PodGone(key));
                let away = SwitchView::Away("connection refused".to_owned());
                w.observed.switches.insert(SOCKET.into(), away);
            },
            |w| reported(w, Drift::PodGone),
        ),
        row(
            "the namespace cannot be seen from here",
            ALL,
            |w| {
                let unknown = PodView::Unknown("no such directory".to_owned());
                let key = w.key();
                w.observed.pods.insert(key.clone(), unknown);
                w.seen_before(Suspicion::PodGone(key));
            },
            |w| reported(w, Drift::PodUnknown("no such directory".to_owned())),
        ),
        row(
            "the pod was not looked at",
            ALL,
            |w| w.observed.pods.clear(),
            |w| reported(w, Drift::PodUnknown("not looked at".to_owned())),
        ),
    ]
}

fn phases() -> Vec<Row> {
    vec![
        row(
            "an ADD is under way",
            ALL,
            |w| {
                w.records[0].phase = Phase::Adding;
                w.pod().links.clear();
                w.observed.switches.clear();
            },
            nothing,
        ),
        row(
            "an ADD died long ago",
            ALL,
            |w| {
                w.records[0].phase = Phase::Adding;
                w.observed.wall = CREATED + ADDING_STALE;
            },
            release,
        ),
        row(
            "a DEL died half-way",
            SWITCHED,
            |w| w.records[0].phase = Phase::Deleting,
            release,
        ),
        row(
            "a DEL died when only the record was left",
            ALL,
            |w| {
                w.records[0].phase = Phase::Deleting;
                w.observed.root.links.clear();
                w.observed.switches.clear();
            },
            nothing,
        ),
    ]
}

fn strangers() -> Vec<Row> {
    vec![
        row(
            "the row belongs to another owner",
            SWITCHED,
            |w| {
                let owner = (names::OWNER_KEY.to_owned(), "ovn".to_owned());
                w.row().external_ids = [owner].into();
            },
            |w| reported(w, Drift::RowForeign(w.port_name())),
        ),
        row(
            "the row belongs to another attachment",
            SWITCHED,
            |w| {
                let ids = &mut w.row().external_ids;
                ids.insert(names::CONTAINER_KEY.to_owned(), "other".to_owned());
            },
            |w| reported(w, Drift::RowForeign(w.port_name())),
        ),
        row(
            "the row was added by hand and has no owner",
            SWITCHED,
            |w| w.row().external_ids.clear(),
            complete,
        ),
        row(
            "a row without owner on another bridge",
            SWITCHED,
            |w| {
                w.row().external_ids.clear();
                w.row().bridge = "br-ex".to_owned();
            },
            |w| reported(w, Drift::RowForeign(w.port_name())),
        ),
        row(
            "a row without owner of another type",
            INTERNAL,
            |w| {
                w.row().external_ids.clear();
                w.row().interface_type = "vxlan".to_owned();
            },
            |w| reported(w, Drift::RowForeign(w.port_name())),
        ),
        row(
            "vswitchd was told to let the device go, and not to take it up again",
            INTERNAL,
            |w| w.row().interface_type = "system".to_owned(),
            complete,
        ),
        row(
            "the host end belongs to somebody else",
            VETHS,
            |w| w.host_link().alias = Some("vlan of the neighbour".to_owned()),
            |w| reported(w, Drift::HostLinkForeign(w.port_name())),
        ),
        row(
            "the pod has made an interface of our name",
            &[RENAME_K, RENAME_U, BOND_K, BOND_U, MACVLAN_K, MACVLAN_U],
            |w| {
                let eth0 = w.eth0();
                eth0.kind = Some("dummy".to_owned());
                eth0.alias = None;
            },
            |w| {
                let expected = match w.record().strategy() {
                    Strategy::Rename => "the internal port",
                    Strategy::Bond => "a bond",
                    _ => "a macvlan",
                };
                let drift = Drift::PodLinkWrong {
                    name: "eth0".to_owned(),
                    found: "dummy".to_owned(),
                    expected: expected.to_owned(),
                };
                reported(w, drift)
            },
        ),
        row(
            "ports of nobody are left alone",
            SWITCHED,
            |w| {
                let port = PortView {
                    bridge: BRIDGE.to_owned(),
                    ofport: Some(-1),
                    ..PortView::default()
                };
                let name = "brt0123456789ab".to_owned();
                w.switch().ports.insert(name.clone(), port);
                w.seen_before(Suspicion::Orphan {
                    socket: SOCKET.into(),
                    port: name,
                });
            },
            nothing,
        ),
    ]
}

fn orphans() -> Vec<Row> {
    fn delete(world: &World) -> Vec<Action> {
        let switch = world.observed.switches.values().next().unwrap();
        let port = switch.state().unwrap().ports.keys().next().unwrap();
        vec![Action::DeleteOrphan {
            socket: SOCKET.into(),
            bridge: BRIDGE.to_owned(),
            port: port.clone(),
        }]
    }
    vec![
        row(
            "our row without a record: first look",
            SWITCHED,
            orphan,
            nothing,
        ),
        row(
            "our row without a record: second look",
            SWITCHED,
            orphan_seen_before,
            delete,
        ),
        row(
            "our row without a record, but records are unreadable",
            SWITCHED,
            |w| {
                orphan_seen_before(w);
                w.observed.complete = false;
            },
            nothing,
        ),
        row(
            "a row of berth's with another state directory",
            SWITCHED,
            |w| {
                let other = (names::STATE_DIR_KEY.to_owned(), "/run/other".to_owned());
                w.row().external_ids.extend([other]);
                orphan_seen_before(w);
            },
            nothing,
        ),
        row(
            "a row of somebody else without a record",
            SWITCHED,
            |w| {
                w.row().external_ids.remove(names::OWNER_KEY);
                orphan_seen_before(w);
            },
            nothing,
        ),
        row(
            "our row without a record, and OVSDB is away",
            SWITCHED,
            |w| {
                orphan_seen_before(w);
                let away = SwitchView::Away("connection refused".to_owned());
                w.observed.switches.insert(SOCKET.into(), away);
            },
            nothing,
        ),
    ]
}
