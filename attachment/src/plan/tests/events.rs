//! What happens to a switch and to its ports, and what follows for each strategy.

use super::fixture::*;
use super::*;

pub(super) fn all(world: &World, action: fn(Key) -> Action) -> Vec<Action> {
    keys(world).into_iter().map(action).collect()
}

pub(super) fn move_in(key: Key) -> Action {
    Action::MoveIn { key }
}

pub(super) fn stand_in(key: Key) -> Action {
    Action::StandIn { key }
}

pub(super) fn rebuild(key: Key) -> Action {
    Action::Rebuild { key }
}

pub(super) fn add_port(key: Key) -> Action {
    Action::AddPort { key }
}

pub(super) fn reports(world: &World, drift: Drift) -> Vec<Action> {
    keys(world)
        .into_iter()
        .map(|key| Action::Report {
            key,
            drift: drift.clone(),
        })
        .collect()
}

/// Looks at all attachments, one after the other.
pub(super) fn swaps(world: &World, first: Duration) -> Vec<Action> {
    (0..)
        .zip(keys(world))
        .map(|(position, key)| Action::LookAgain {
            key,
            at: first + SWAP_PAUSE * position,
        })
        .collect()
}

pub(super) fn ensure_bridge(world: &World) -> Action {
    Action::EnsureBridge {
        socket: SOCKET.into(),
        bridge: BRIDGE.to_owned(),
        datapath: world.record().port.switch().unwrap().datapath,
    }
}

pub(super) fn away(world: &mut World) {
    let away = SwitchView::Away("connection refused".to_owned());
    world.observed.switches.insert(SOCKET.into(), away);
}

pub(super) fn switch_away() -> Drift {
    Drift::SwitchAway("connection refused".to_owned())
}

pub(super) fn nothing(_: &World) -> Vec<Action> {
    Vec::new()
}

pub(super) fn row(
    name: &'static str,
    cases: &'static [Case],
    change: fn(&mut World),
    expect: fn(&World) -> Vec<Action>,
) -> Row {
    Row {
        name,
        cases,
        change,
        expect,
    }
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = quiet();
    rows.extend(super::restarts::rows());
    rows.extend(database());
    rows.extend(devices());
    rows
}

fn quiet() -> Vec<Row> {
    vec![
        row("healthy", ALL, |_| {}, nothing),
        row("healthy, a hundred of them", ALL, |w| w.more(99), nothing),
        row(
            "an unrelated port was added",
            SWITCHED,
            |w| {
                let other = crate::view::PortView {
                    bridge: BRIDGE.to_owned(),
                    ..Default::default()
                };
                w.switch().ports.insert("uplink0".to_owned(), other);
            },
            nothing,
        ),
        row(
            "vswitchd is dead",
            SWITCHED,
            |w| w.switch().vswitchd_alive = false,
            |w| reported(w, Drift::VswitchdDead),
        ),
        row("OVSDB is away", SWITCHED, away, |w| {
            reported(w, switch_away())
        }),
        row(
            "OVSDB was not looked at",
            SWITCHED,
            |w| w.observed.switches.clear(),
            |w| reported(w, Drift::SwitchAway("not looked at".to_owned())),
        ),
        row(
            "vswitchd is dead and the rows are gone",
            SWITCHED,
            |w| {
                w.switch().ports.clear();
                w.switch().vswitchd_alive = false;
            },
            |w| reported(w, Drift::VswitchdDead),
        ),
        row(
            "flow-restore-wait was left set",
            SWITCHED,
            |w| w.switch().flow_restore_wait = true,
            |w| reported(w, Drift::FlowRestoreWait),
        ),
        row(
            "OVSDB is away and an address is missing",
            BONDS,
            |w| {
                away(w);
                w.pod().addresses.clear();
            },
            |w| {
                let address = w.record().addresses[0].address;
                let mut expected = vec![Action::RestorePod {
                    key: w.key(),
                    drift: vec![Drift::AddressMissing(address)],
                }];
                expected.extend(reported(w, switch_away()));
                expected
            },
        ),
    ]
}

fn database() -> Vec<Row> {
    vec![
        row(
            "conf.db was wiped",
            SWITCHED,
            |w| {
                w.switch().ports.clear();
                w.switch().bridges.clear();
            },
            |w| vec![ensure_bridge(w), add_port(w.key())],
        ),
        row(
            "conf.db was wiped: the bridge of several pods is made once",
            SWITCHED,
            |w| {
                w.more(1);
                w.switch().ports.clear();
                w.switch().bridges.clear();
            },
            |w| {
                let mut expected = vec![ensure_bridge(w)];
                expected.extend(all(w, add_port));
                expected
            },
        ),
        row(
            "conf.db was wiped, and vswitchd has taken its devices away",
            &[RENAME_K, RENAME_U],
            |w| {
                w.switch().ports.clear();
                w.switch().bridges.clear();
                w.lose_pod_link("eth0");
            },
            |w| vec![ensure_bridge(w), add_port(w.key())],
        ),
        row(
            "the port's row was deleted",
            SWITCHED,
            |w| w.switch().ports.clear(),
            |w| all(w, add_port),
        ),
        row(
            "the row and the veth are gone",
            &[VETH_K, VETH_U],
            |w| {
                w.switch().ports.clear();
                w.observed.root.links.clear();
                w.lose_pod_link("eth0");
            },
            |w| all(w, rebuild),
        ),
        row(
            "the row is gone and its name is taken in root",
            INTERNAL,
            |w| {
                let name = w.port_name();
                let record = w.record().clone();
                w.switch().ports.clear();
                let taken = link(&record, 40, &name, "dummy");
                w.observed.root.links.insert(name, taken);
            },
            |w| reported(w, Drift::HostLinkForeign(w.port_name())),
        ),
        row(
            "vswitchd cannot open the device",
            SWITCHED,
            |w| {
                w.row().ofport = Some(-1);
                w.row().error = Some("could not open network device".to_owned());
            },
            |w| {
                let drift = Drift::PortError {
                    port: w.port_name(),
                    error: "could not open network device".to_owned(),
                };
                reported(w, drift)
            },
        ),
        row(
            "ofport is -1 without a word",
            SWITCHED,
            |w| w.row().ofport = Some(-1),
            nothing,
        ),
    ]
}

fn devices() -> Vec<Row> {
    vec![
        row(
            "the pod deleted its port",
            &[RENAME_K, RENAME_U],
            |w| w.lose_pod_link("eth0"),
            |w| look_again(w, SECOND_LOOK),
        ),
        row(
            "the pod's port stays deleted",
            &[RENAME_K, RENAME_U],
            |w| {
                w.lose_pod_link("eth0");
                let key = w.key();
                w.seen_before(Suspicion::PortLost(key));
            },
            |w| all(w, |key| Action::RecreatePort { key }),
        ),
        row(
            "the pod deleted its macvlan",
            MACVLANS,
            |w| w.lose_pod_link("eth0"),
            |w| all(w, rebuild),
        ),
        row(
            "the pod deleted its bond",
            BONDS,
            |w| {
                w.lose_pod_link("eth0");
                let name = w.port_name();
                w.pod_link(&name).master = None;
            },
            |w| all(w, rebuild),
        ),
        row(
            "the veth was deleted",
            VETHS,
            |w| {
                w.lose_pod_link("eth0");
                w.observed.root.links.clear();
            },
            |w| all(w, rebuild),
        ),
        row(
            "the slave lost its master",
            BONDS,
            |w| {
                let name = w.port_name();
                w.pod_link(&name).master = None;
            },
            |w| all(w, move_in),
        ),
        row(
            "the slave is down",
            BONDS,
            |w| {
                let name = w.port_name();
                let slave = w.pod_link(&name);
                slave.up = false;
                slave.carrier = false;
            },
            |w| all(w, move_in),
        ),
        row(
            "the host end is down",
            &[VETH_K, VETH_U, ROUTED, MACVLAN_K, MACVLAN_U],
            |w| w.host_link().up = false,
            |w| {
                vec![Action::RestoreHost {
                    key: w.key(),
                    drift: vec![Drift::HostLinkDown(w.port_name())],
                }]
            },
        ),
        row(
            "the host end lost its alias",
            &[VETH_K, VETH_U, ROUTED, MACVLAN_K, MACVLAN_U],
            |w| w.host_link().alias = None,
            |w| {
                vec![Action::RestoreHost {
                    key: w.key(),
                    drift: vec![Drift::HostAlias(w.port_name())],
                }]
            },
        ),
        row(
            "the host route is gone",
            &[ROUTED],
            |w| w.observed.root.host_routes.clear(),
            |w| {
                let ip = w.record().addresses[0].address.ip();
                vec![Action::RestoreHost {
                    key: w.key(),
                    drift: vec![Drift::HostRouteMissing(ip)],
                }]
            },
        ),
        row(
            "the host route goes over another device",
            &[ROUTED],
            |w| {
                let ip = w.record().addresses[0].address.ip();
                w.observed.root.host_routes = [(ip, 77)].into();
            },
            |w| {
                let ip = w.record().addresses[0].address.ip();
                vec![Action::RestoreHost {
                    key: w.key(),
                    drift: vec![Drift::HostRouteMissing(ip)],
                }]
            },
        ),
        row(
            "the bridge lost its gateway address",
            SWITCHED,
            |w| {
                let gateway = "10.1.0.254/24".parse().unwrap();
                w.records[0].port.switch_mut().unwrap().gateways = vec![gateway];
                let none = BTreeSet::new();
                let bridge = BRIDGE.to_owned();
                w.observed.root.bridge_addresses.insert(bridge, none);
            },
            |w| {
                vec![Action::RestoreHost {
                    key: w.key(),
                    drift: vec![Drift::GatewayMissing {
                        bridge: BRIDGE.to_owned(),
                        address: "10.1.0.254/24".parse().unwrap(),
                    }],
                }]
            },
        ),
    ]
}
