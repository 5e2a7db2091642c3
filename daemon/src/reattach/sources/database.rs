//! Rows of OVSDB that are about our ports.

use std::collections::BTreeMap;
use std::sync::Arc;

use attachment::names;
use ovs::{Connection, Interface, Port, Snapshot};
use tokio::sync::watch;

use crate::board::Board;
use crate::reattach::mailbox::Mailbox;
use crate::reattach::signal::{Cause, Signal};
use crate::report::EventKind;

/// Follows a session for as long as it lives; `seen` is the snapshot that the first pass has used.
pub async fn follow(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    mut seen: Arc<Snapshot>,
    board: Arc<Board>,
    mailbox: Arc<Mailbox>,
) {
    loop {
        let snapshot = snapshots.borrow_and_update().clone();
        if !Arc::ptr_eq(&snapshot, &seen) {
            if snapshot.connection != seen.connection {
                tell(&snapshot, &board);
            }
            for signal in changes(&seen, &snapshot) {
                mailbox.put(signal);
            }
            seen = snapshot;
        }
        if snapshots.changed().await.is_err() {
            return;
        }
    }
}

/// Notes whether the database answers.
pub fn tell(snapshot: &Snapshot, board: &Board) {
    let mut facts = board.facts();
    let was_connected = facts.ovsdb.connected;
    let socket = facts.ovsdb.socket.clone();
    match &snapshot.connection {
        Connection::Live => {
            facts.ovsdb.connected = true;
            facts.ovsdb.error = None;
            if !was_connected {
                tracing::info!(socket, "OVSDB answers");
                facts.event(EventKind::OvsdbConnected, socket, "OVSDB answers", None);
            }
        }
        Connection::Away { reason } => {
            facts.ovsdb.connected = false;
            facts.ovsdb.error = Some(reason.clone());
            if was_connected {
                tracing::warn!(socket, reason, "OVSDB does not answer any more");
                facts.counts.error("database");
                facts.event(EventKind::OvsdbLost, socket, reason.clone(), None);
            }
        }
    }
}

/// What to look at after the tables went from `old` to `new`.
fn changes(old: &Snapshot, new: &Snapshot) -> Vec<Signal> {
    if old.is_live() != new.is_live() || old.resyncs != new.resyncs {
        return vec![Signal::all(Cause::DatabaseConnection)];
    }
    let mut signals = Vec::new();
    if bridges(old) != bridges(new) || flow_restore_wait(old) != flow_restore_wait(new) {
        signals.push(Signal::all(Cause::Database));
    }
    let mut ports = differing(&old.interfaces, &new.interfaces, same_interface);
    ports.extend(differing(&old.ports, &new.ports, same_port));
    ports.sort_unstable();
    ports.dedup();
    if !ports.is_empty() {
        signals.push(Signal::ports(Cause::Database, ports));
    }
    signals
}

fn bridges(snapshot: &Snapshot) -> Vec<(&str, ovs::Datapath)> {
    let bridges = snapshot.bridges.values();
    bridges.map(|b| (b.name.as_str(), b.datapath)).collect()
}

fn flow_restore_wait(snapshot: &Snapshot) -> bool {
    let system = snapshot.system.as_ref();
    system.is_some_and(|system| system.flow_restore_wait())
}

/// Names of ours whose rows came, went or differ. Unchanged rows are shared between snapshots, so most of the
/// comparison is one of pointers.
fn differing<R>(
    old: &BTreeMap<String, Arc<R>>,
    new: &BTreeMap<String, Arc<R>>,
    same: impl Fn(&R, &R) -> bool,
) -> Vec<String> {
    let unchanged = |name: &str, row: &Arc<R>, other: &BTreeMap<String, Arc<R>>| {
        other
            .get(name)
            .is_some_and(|before| Arc::ptr_eq(before, row) || same(before, row))
    };
    let came = new.iter().filter(|(name, row)| !unchanged(name, row, old));
    let went = old.iter().filter(|(name, _)| !new.contains_key(*name));
    came.chain(went)
        .map(|(name, _)| name)
        .filter(|name| names::is_port_name(name))
        .cloned()
        .collect()
}

/// Whether two rows tell the plan the same; link state and counters do not.
fn same_interface(a: &Interface, b: &Interface) -> bool {
    let told = |i: &Interface| {
        (
            i.kind.clone(),
            i.ofport,
            i.ofport_request,
            i.error.clone(),
            i.mac,
            i.mtu_request,
            i.ifindex,
        )
    };
    told(a) == told(b) && a.external_ids == b.external_ids
}

fn same_port(a: &Port, b: &Port) -> bool {
    (a.tag, &a.trunks, &a.external_ids) == (b.tag, &b.trunks, &b.external_ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "brt0123456789ab";

    fn snapshot(connection: Connection) -> Snapshot {
        Snapshot {
            connection,
            resyncs: 1,
            system: None,
            bridges: BTreeMap::new(),
            ports: BTreeMap::new(),
            interfaces: BTreeMap::new(),
        }
    }

    fn port(tag: Option<u16>) -> Port {
        Port {
            uuid: "01234567-89ab-cdef-0123-456789abcdef"
                .parse()
                .expect("uuid"),
            name: OURS.to_owned(),
            interfaces: vec![],
            tag,
            trunks: vec![],
            vlan_mode: None,
            qos: None,
            external_ids: BTreeMap::new(),
        }
    }

    fn with_port(name: &str, tag: Option<u16>) -> Snapshot {
        let mut snapshot = snapshot(Connection::Live);
        snapshot.ports.insert(name.to_owned(), Arc::new(port(tag)));
        snapshot
    }

    #[test]
    fn only_ports_of_ours_signal() {
        let empty = snapshot(Connection::Live);
        let expected = vec![Signal::ports(Cause::Database, vec![OURS.to_owned()])];
        assert_eq!(changes(&empty, &with_port(OURS, None)), expected);
        assert_eq!(changes(&with_port(OURS, None), &empty), expected);
        assert_eq!(
            changes(&with_port(OURS, None), &with_port(OURS, Some(7))),
            expected
        );
        assert_eq!(changes(&empty, &with_port("vnet0", None)), []);
        assert_eq!(changes(&with_port(OURS, None), &with_port(OURS, None)), []);
    }

    #[test]
    fn a_lost_or_renewed_connection_means_everything() {
        let live = snapshot(Connection::Live);
        let away = snapshot(Connection::Away {
            reason: "gone".to_owned(),
        });
        let mut again = live.clone();
        again.resyncs += 1;
        let expected = [Signal::all(Cause::DatabaseConnection)];
        assert_eq!(changes(&live, &away), expected);
        assert_eq!(changes(&away, &again), expected);
        assert_eq!(changes(&live, &again), expected);
    }
}
