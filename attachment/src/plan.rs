//! The pure decision: records and a look in, actions out.
//!
//! Nothing destructive is ever decided from an absence that could be ours: with
//! OVSDB away, vswitchd dead or a namespace we cannot see, a plan holds reports
//! and waits only. A port is never deleted because vswitchd could not open it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::action::Action;
use crate::drift::Drift;
use crate::memory::{SECOND_LOOK, Suspicion};
use crate::names;
use crate::record::{Attachment, Key, Phase, SwitchPort};
use crate::strategy::Strategy;
use crate::view::{Observed, PodState, PodView, PortView, SwitchState, SwitchView};

mod columns;
mod ports;
mod restore;
mod silence;
mod stand_in;

pub use restore::{host_drift, pod_drift};

/// Age in seconds after which a record still in phase `adding` is a dead ADD:
/// longer than any runtime waits for a plugin.
pub const ADDING_STALE: u64 = 300;

/// How soon to look again at something that is just changing.
pub const SOON: Duration = Duration::from_millis(50);

pub use stand_in::{STAND_IN_FROM, SWAP_PAUSE};

/// What must be done so that what is there matches the records.
///
/// The order of the result is the order of execution: what brings packets back
/// comes first, deletions come last.
pub fn plan(records: &[Attachment], observed: &Observed) -> Vec<Action> {
    let mut draft = Draft::default();
    for record in records {
        one(record, observed, &mut draft);
    }
    orphans(records, observed, &mut draft.actions);
    let mut actions = stand_in::decide(draft, observed);
    dedup_bridges(&mut actions);
    // Stable: within one rank the order of the records stays.
    actions.sort_by_key(rank);
    actions
}

/// A plan in the making: what is decided for each record by itself, and what can only
/// be decided in view of all.
#[derive(Debug, Default)]
struct Draft {
    actions: Vec<Action>,
    /// Attachments with a dead device that waits aside.
    aside: Vec<Key>,
    /// Attachments without traffic whose fresh port a macvlan could cover at once.
    lost: Vec<Key>,
    /// Attachments without traffic whose port will only come when vswitchd does.
    dead: Vec<Key>,
    /// Attachments that a stand-in serves.
    served: Vec<Key>,
}

/// What this look alone gives reason to suspect; see [`crate::memory`].
pub fn suspicions(records: &[Attachment], observed: &Observed) -> BTreeSet<Suspicion> {
    let mut found = BTreeSet::new();
    for record in records {
        let key = record.key();
        match observed.pods.get(&key) {
            Some(PodView::Gone | PodView::Replaced) if !host_end_lives(record, observed) => {
                found.insert(Suspicion::PodGone(key));
            }
            Some(PodView::Alive(state)) if record.phase == Phase::Ready => {
                if let Some((_, switch)) = live_switch(record, observed) {
                    found.extend(ports::suspicion(record, state, switch, observed));
                }
            }
            _ => {}
        }
    }
    found.extend(orphan_rows(records, observed).map(|(suspicion, _)| suspicion));
    found
}

fn one(record: &Attachment, observed: &Observed, draft: &mut Draft) {
    let key = record.key();
    let actions = &mut draft.actions;
    match record.phase {
        Phase::Deleting => {
            if remains(record, observed) {
                actions.push(Action::Release { key });
            }
            return;
        }
        Phase::Adding => {
            if observed.wall.saturating_sub(record.created) >= ADDING_STALE {
                actions.push(Action::Release { key });
            }
            return;
        }
        Phase::Ready => {}
    }
    let state = match observed.pods.get(&key) {
        None => return report(actions, key, Drift::PodUnknown("not looked at".to_owned())),
        Some(PodView::Unknown(reason)) => {
            return report(actions, key, Drift::PodUnknown(reason.clone()));
        }
        Some(view @ (PodView::Gone | PodView::Replaced)) => {
            return gone(record, view, observed, actions);
        }
        Some(PodView::Alive(state)) => state,
    };
    if state
        .link(&names::aside_name(&key.container_id, &key.ifname))
        .is_some()
    {
        draft.aside.push(key.clone());
    }
    let settled = match record.port.switch() {
        None => ports::routed(record, state, observed, draft),
        Some(port) => on_switch(record, port, state, observed, draft),
    };
    if settled {
        restore(record, state, observed, &mut draft.actions);
    }
}

/// What needs the pod's device and its host end in their places; both halves are
/// left for the next look while either is being put there.
fn restore(record: &Attachment, state: &PodState, observed: &Observed, actions: &mut Vec<Action>) {
    let key = record.key();
    let drift = host_drift(record, observed);
    if !drift.is_empty() {
        actions.push(Action::RestoreHost {
            key: key.clone(),
            drift,
        });
    }
    let drift = pod_drift(record, state);
    if !drift.is_empty() {
        actions.push(Action::RestorePod { key, drift });
    }
}

/// Plans for an attachment on a switch; whether its devices are in their places.
fn on_switch(
    record: &Attachment,
    port: &SwitchPort,
    state: &PodState,
    observed: &Observed,
    draft: &mut Draft,
) -> bool {
    let key = record.key();
    let away = match observed.switches.get(&port.socket) {
        None => Some(Drift::SwitchAway("not looked at".to_owned())),
        Some(SwitchView::Away(reason)) => Some(Drift::SwitchAway(reason.clone())),
        Some(SwitchView::Present(switch)) if !switch.vswitchd_alive => Some(Drift::VswitchdDead),
        Some(SwitchView::Present(_)) => None,
    };
    let (Some(switch), None) = (
        observed
            .switches
            .get(&port.socket)
            .and_then(SwitchView::state),
        &away,
    ) else {
        if ports::is_dead(record, state, observed) {
            draft.dead.push(key.clone());
        }
        draft
            .actions
            .extend(away.map(|drift| Action::Report { key, drift }));
        return ports::in_place(record, state, observed);
    };
    if switch.flow_restore_wait {
        report(&mut draft.actions, key.clone(), Drift::FlowRestoreWait);
    }
    if !columns::ensure(record, port, switch, observed, &mut draft.actions) {
        return ports::in_place(record, state, observed);
    }
    let settled = ports::on_switch(record, state, switch, observed, draft);
    if !settled {
        // A port that vswitchd has made anew has lost its bit, and no hand has cleared it.
        let learnt = |action: &Action| matches!(action, Action::LearnNoFlood { key: of, off: false } if *of == key);
        draft.actions.retain(|action| !learnt(action));
    }
    settled
}

/// All drift of a ready record, gathered from what a plan would do and say.
pub(crate) fn drift_of(record: &Attachment, observed: &Observed) -> Vec<Drift> {
    match observed.pods.get(&record.key()) {
        Some(PodView::Gone) => return vec![Drift::PodGone],
        Some(PodView::Replaced) => return vec![Drift::PodReplaced],
        _ => {}
    }
    let mut draft = Draft::default();
    one(record, observed, &mut draft);
    let lost = draft.lost.into_iter().map(|key| Action::MoveIn { key });
    let actions = draft.actions.into_iter().chain(lost);
    let mut drift: Vec<Drift> = Vec::new();
    for action in actions {
        match action {
            Action::Report { drift: one, .. } => drift.push(one),
            Action::RestoreHost { drift: some, .. } | Action::RestorePod { drift: some, .. } => {
                drift.extend(some);
            }
            other => drift.extend(ports::drift(&other, record, observed)),
        }
    }
    drift
}

fn report(actions: &mut Vec<Action>, key: Key, drift: Drift) {
    actions.push(Action::Report { key, drift });
}

/// Pushes a repair unless it has to wait for its back-off.
fn repair(record: &Attachment, observed: &Observed, action: Action, actions: &mut Vec<Action>) {
    let key = record.key();
    let at = observed.memory.not_before(&key);
    if at > observed.now {
        actions.push(Action::LookAgain { key, at });
    } else {
        actions.push(action);
    }
}

fn gone(record: &Attachment, view: &PodView, observed: &Observed, actions: &mut Vec<Action>) {
    let key = record.key();
    let drift = if matches!(view, PodView::Gone) {
        Drift::PodGone
    } else {
        Drift::PodReplaced
    };
    if host_end_lives(record, observed) {
        return report(actions, key, drift);
    }
    if !remains(record, observed) {
        return report(actions, key, drift);
    }
    let suspicion = Suspicion::PodGone(key.clone());
    if observed.memory.confirmed(&suspicion, observed.now) {
        actions.push(Action::Release { key });
    } else {
        let first = observed.memory.suspicions.get(&suspicion);
        let at = first.copied().unwrap_or(observed.now) + SECOND_LOOK;
        actions.push(Action::LookAgain { key, at });
    }
}

/// Whether the host end of a veth proves that the pod's namespace lives on without
/// its path: the kernel deletes both ends with the namespace of either.
fn host_end_lives(record: &Attachment, observed: &Observed) -> bool {
    matches!(record.strategy(), Strategy::Routed | Strategy::Veth)
        && observed
            .root
            .links
            .get(&record.port_name)
            .is_some_and(|link| link.alias.as_deref() == Some(&record.key().alias()))
}

/// Whether anything of the attachment is left outside of its pod.
fn remains(record: &Attachment, observed: &Observed) -> bool {
    let key = record.key();
    let host_mac = names::host_mac(&key.container_id, &key.ifname);
    let link = observed
        .root
        .links
        .get(&record.port_name)
        .is_some_and(|link| match &link.alias {
            Some(alias) => *alias == key.alias(),
            // An ADD that was killed right after it had made the veth.
            None => link.mac == Some(host_mac),
        });
    let row = record
        .port
        .switch()
        .and_then(|port| observed.switches.get(&port.socket)?.state())
        .and_then(|switch| switch.ports.get(&record.port_name))
        .is_some_and(|row| names::owns(&row.external_ids, &key.container_id, &key.ifname));
    link || row
}

fn live_switch<'a>(
    record: &'a Attachment,
    observed: &'a Observed,
) -> Option<(&'a SwitchPort, &'a SwitchState)> {
    let port = record.port.switch()?;
    let switch = observed.switches.get(&port.socket)?.state()?;
    switch.vswitchd_alive.then_some((port, switch))
}

/// The row of an attachment's port on a live switch.
pub(crate) fn row_of<'a>(record: &'a Attachment, observed: &'a Observed) -> Option<&'a PortView> {
    let (_, switch) = live_switch(record, observed)?;
    switch.ports.get(&record.port_name)
}

/// Rows of this node that no record owns, with their bridges.
fn orphan_rows<'a>(
    records: &'a [Attachment],
    observed: &'a Observed,
) -> impl Iterator<Item = (Suspicion, &'a str)> {
    let state_dir = observed.state_dir.display().to_string();
    let owned: BTreeSet<&str> = records.iter().map(|r| r.port_name.as_str()).collect();
    observed
        .switches
        .iter()
        .filter(|_| observed.complete)
        .filter_map(|(socket, view)| Some((socket, view.state()?)))
        .flat_map(move |(socket, switch)| {
            let (state_dir, owned) = (state_dir.clone(), owned.clone());
            switch
                .ports
                .iter()
                .filter(move |(name, row)| {
                    let ids = &row.external_ids;
                    ids.get(names::OWNER_KEY).is_some_and(|v| v == names::OWNER)
                        && ids.get(names::STATE_DIR_KEY) == Some(&state_dir)
                        && !owned.contains(name.as_str())
                })
                .map(move |(name, row)| {
                    let suspicion = Suspicion::Orphan {
                        socket: socket.clone(),
                        port: name.clone(),
                    };
                    (suspicion, row.bridge.as_str())
                })
        })
}

fn orphans(records: &[Attachment], observed: &Observed, actions: &mut Vec<Action>) {
    for (suspicion, bridge) in orphan_rows(records, observed) {
        if !observed.memory.confirmed(&suspicion, observed.now) {
            continue;
        }
        if let Suspicion::Orphan { socket, port } = suspicion {
            actions.push(Action::DeleteOrphan {
                socket,
                bridge: bridge.to_owned(),
                port,
            });
        }
    }
}

fn dedup_bridges(actions: &mut Vec<Action>) {
    let mut seen = BTreeSet::new();
    actions.retain(|action| match action {
        Action::EnsureBridge { socket, bridge, .. } => {
            seen.insert((socket.clone(), bridge.clone()))
        }
        _ => true,
    });
}

fn rank(action: &Action) -> u8 {
    match action {
        Action::EnsureBridge { .. } => 0,
        Action::AddPort { .. } => 1,
        Action::Announce { .. } => 2,
        Action::StandIn { .. } => 3,
        Action::Rebuild { .. } => 4,
        Action::MoveIn { .. } => 5,
        Action::RestoreHost { .. } => 6,
        Action::RestorePod { .. } => 7,
        Action::SetNoFlood { .. } => 8,
        Action::LearnNoFlood { .. } => 9,
        Action::CompletePort { .. } => 10,
        Action::RecreatePort { .. } => 11,
        Action::SweepAside { .. } => 12,
        Action::Release { .. } => 13,
        Action::DeleteOrphan { .. } => 14,
        Action::LookAgain { .. } => 15,
        Action::Report { .. } => 16,
    }
}

#[cfg(test)]
mod tests;
