//! The device half of a plan: for each strategy, which devices must be where.

use crate::action::Action;
use crate::drift::Drift;
use crate::memory::{SECOND_LOOK, Suspicion};
use crate::names;
use crate::record::{Attachment, Datapath};
use crate::strategy::Strategy;
use crate::view::{LinkView, Observed, PodState, SwitchState};

use super::{Draft, SOON, silence};

/// Where the devices of an attachment are.
struct Places<'a> {
    /// The device with the pod's name.
    pod: Option<&'a LinkView>,
    /// The device with the port's name in the pod: a bond's slave, or a port that
    /// was moved but not yet renamed.
    slave: Option<&'a LinkView>,
    /// The device with the port's name in the root namespace.
    root: Option<&'a LinkView>,
}

impl<'a> Places<'a> {
    fn of(record: &Attachment, state: &'a PodState, observed: &'a Observed) -> Self {
        Self {
            pod: state.link(&record.ifname),
            slave: state.link(&record.port_name),
            root: observed.root.links.get(&record.port_name),
        }
    }

    /// A port that vswitchd made in the root namespace.
    fn fresh(&self) -> Option<&'a LinkView> {
        self.root.filter(|link| link.is_internal_port())
    }
}

/// Plans for the devices of a port on a live switch whose row is there; whether
/// they are in their places.
pub fn on_switch(
    record: &Attachment,
    state: &PodState,
    switch: &SwitchState,
    observed: &Observed,
    draft: &mut Draft,
) -> bool {
    let step = step(record, state, Some(switch), observed);
    take(record, state, step, observed, draft)
}

/// Plans for the devices of a routed port; whether they are in their places.
pub fn routed(
    record: &Attachment,
    state: &PodState,
    observed: &Observed,
    draft: &mut Draft,
) -> bool {
    let step = step(record, state, None, observed);
    take(record, state, step, observed, draft)
}

/// What the devices need next.
enum Step {
    /// Nothing, they are where they belong.
    Settled,
    /// Nothing urgent: a stand-in serves the pod.
    Served,
    /// Bring the fresh port in.
    MoveIn,
    /// Make the pod's device anew.
    Rebuild,
    /// vswitchd is about to say more.
    Soon,
    /// The pod's device lives, and its bridge does not know it.
    Forgotten,
    /// The port is in neither namespace, or nobody holds it.
    Lost,
    /// Somebody else's device is in the way.
    Blocked(Drift),
}

fn step(
    record: &Attachment,
    state: &PodState,
    switch: Option<&SwitchState>,
    observed: &Observed,
) -> Step {
    let places = Places::of(record, state, observed);
    let held = switch
        .and_then(|switch| switch.ports.get(&record.port_name))
        .and_then(|row| row.ifindex);
    match record.strategy() {
        Strategy::Rename => match rename(record, &places, held) {
            Step::Settled if forgotten(record, switch) => Step::Forgotten,
            other => other,
        },
        Strategy::Bond => bond(record, &places, held),
        Strategy::Macvlan => macvlan(record, &places),
        Strategy::Veth | Strategy::Routed => veth(record, &places),
    }
}

fn take(
    record: &Attachment,
    state: &PodState,
    step: Step,
    observed: &Observed,
    draft: &mut Draft,
) -> bool {
    let key = record.key();
    let actions = &mut draft.actions;
    let twice = Suspicion::PortTwice(key.clone());
    let step = match step {
        // It was given its time. It looks ports up by name, and that is the new one's.
        Step::Soon if observed.memory.confirmed(&twice, observed.now) => Step::MoveIn,
        other => other,
    };
    match step {
        Step::Settled => {
            silence::end(record, state, observed, actions);
            return true;
        }
        Step::Served => {
            draft.served.push(key);
            return true;
        }
        Step::MoveIn
            if can_stand_in(record) && observed.memory.not_before(&key) <= observed.now =>
        {
            draft.lost.push(key);
        }
        Step::MoveIn => super::repair(record, observed, Action::MoveIn { key }, actions),
        Step::Rebuild => super::repair(record, observed, Action::Rebuild { key }, actions),
        Step::Soon => actions.push(Action::LookAgain {
            key,
            at: observed.now + SOON,
        }),
        Step::Blocked(drift) => super::report(actions, key, drift),
        Step::Lost => {
            let suspicion = Suspicion::PortLost(key.clone());
            let repair = Action::RecreatePort { key };
            once_confirmed(record, &suspicion, repair, observed, actions);
        }
        Step::Forgotten => {
            let suspicion = Suspicion::PortForgotten(key.clone());
            once_confirmed(
                record,
                &suspicion,
                Action::MoveIn { key },
                observed,
                actions,
            );
        }
    }
    false
}

/// Plans a repair if a second look has confirmed what it is for, or else that look.
fn once_confirmed(
    record: &Attachment,
    suspicion: &Suspicion,
    repair: Action,
    observed: &Observed,
    actions: &mut Vec<Action>,
) {
    if observed.memory.confirmed(suspicion, observed.now) {
        return super::repair(record, observed, repair, actions);
    }
    let first = observed.memory.suspicions.get(suspicion);
    let at = first.copied().unwrap_or(observed.now) + SECOND_LOOK;
    let key = record.key();
    actions.push(Action::LookAgain { key, at });
}

/// Whether a macvlan over the port's tap can serve the pod until the tap is moved.
fn can_stand_in(record: &Attachment) -> bool {
    record.strategy() == Strategy::Rename
        && record
            .port
            .switch()
            .is_some_and(|port| port.datapath == Datapath::Userspace)
}

/// Whether the pod has no traffic until vswitchd returns, and a stand-in over a tap
/// that waits for vswitchd could be put there now. Only a tap that is up and has no
/// carrier proves it.
pub fn is_dead(record: &Attachment, state: &PodState, observed: &Observed) -> bool {
    let places = Places::of(record, state, observed);
    let key = record.key();
    let aside = names::aside_name(&key.container_id, &key.ifname);
    let without = match places.pod {
        Some(pod) => pod.is_dead_tap(),
        // A stand-in that was cut short after the first of its steps.
        None => state.link(&aside).is_some(),
    };
    can_stand_in(record) && without && places.root.is_none_or(|root| root.is_kind("tun"))
}

/// A device we may put aside: it carries our mark, or it is a tap nobody holds.
fn ours(record: &Attachment, link: &LinkView) -> bool {
    link.alias.as_deref() == Some(&record.key().alias()) || link.is_dead_tap()
}

fn blocked(link: &LinkView, expected: &str) -> Step {
    Step::Blocked(Drift::PodLinkWrong {
        name: link.name.clone(),
        found: link.kind.clone().unwrap_or_else(|| "a device".to_owned()),
        expected: expected.to_owned(),
    })
}

fn rename(record: &Attachment, places: &Places, held: Option<i64>) -> Step {
    let standing = places.pod.is_some_and(|pod| stand_in_over(pod, places));
    if let Some(pod) = places.pod
        && !ours(record, pod)
        && !pod.is_internal_port()
        && !standing
    {
        return blocked(pod, "the internal port");
    }
    // A device that is down says nothing about its carrier.
    let alive = places
        .pod
        .is_some_and(|link| link.is_internal_port() && (link.carrier || !link.up));
    match places.fresh() {
        // A tap that was put there for vswitchd and that it has not opened.
        Some(fresh) if standing && fresh.up && !fresh.carrier => Step::Lost,
        Some(_) if standing => Step::Served,
        // The live device and the fresh one: vswitchd is between the two, unless it
        // has already told which one it holds.
        Some(fresh) if alive => {
            if held == Some(i64::from(fresh.index)) {
                Step::MoveIn
            } else {
                Step::Soon
            }
        }
        Some(_) => Step::MoveIn,
        None if alive => Step::Settled,
        // Moved but not renamed: a move that died between its two halves.
        None if places.slave.is_some() => Step::MoveIn,
        None => Step::Lost,
    }
}

fn bond(record: &Attachment, places: &Places, held: Option<i64>) -> Step {
    let master = match places.pod {
        Some(pod) if pod.is_kind("bond") => pod,
        Some(pod) if !ours(record, pod) => return blocked(pod, "a bond"),
        _ if places.fresh().is_some() || places.slave.is_some() => return Step::Rebuild,
        _ => return Step::Lost,
    };
    let slave = places.slave.filter(|link| link.is_internal_port());
    // A slave that is down says nothing about its carrier.
    let alive = slave.is_some_and(|link| link.carrier || !link.up);
    match (places.fresh(), slave) {
        (Some(fresh), Some(_)) if alive => {
            if held == Some(i64::from(fresh.index)) {
                Step::MoveIn
            } else {
                Step::Soon
            }
        }
        (Some(_), _) => Step::MoveIn,
        (None, Some(link)) if link.master != Some(master.index) || !link.up => Step::MoveIn,
        (None, Some(_)) if alive => Step::Settled,
        (None, _) => Step::Lost,
    }
}

fn macvlan(record: &Attachment, places: &Places) -> Step {
    let Some(lower) = places.root else {
        return Step::Lost;
    };
    if !lower.is_internal_port() {
        return Step::Blocked(Drift::HostLinkForeign(lower.name.clone()));
    }
    match places.pod {
        Some(pod) if pod.is_kind("macvlan") && pod.lower == Some(lower.index) => Step::Settled,
        Some(pod) if !ours(record, pod) && !pod.is_kind("macvlan") => blocked(pod, "a macvlan"),
        _ => Step::Rebuild,
    }
}

fn veth(record: &Attachment, places: &Places) -> Step {
    let alias = record.key().alias();
    match (places.root, places.pod) {
        (Some(host), _) if host.alias.as_deref().is_some_and(|a| a != alias) => {
            Step::Blocked(Drift::HostLinkForeign(host.name.clone()))
        }
        (Some(host), _) if !host.is_kind("veth") => {
            Step::Blocked(Drift::HostLinkForeign(host.name.clone()))
        }
        (Some(_), Some(pod)) if pod.is_kind("veth") => Step::Settled,
        (_, Some(pod)) if !ours(record, pod) && !pod.is_kind("veth") => blocked(pod, "a veth"),
        _ => Step::Rebuild,
    }
}

/// Whether the pod's device is there in a shape that is worth configuring, for when the
/// switch cannot be asked.
pub fn in_place(record: &Attachment, state: &PodState, observed: &Observed) -> bool {
    let places = Places::of(record, state, observed);
    let Some(pod) = places.pod else { return false };
    match record.strategy() {
        Strategy::Rename => {
            (pod.is_internal_port() && !pod.is_dead_tap()) || stand_in_over(pod, &places)
        }
        Strategy::Bond => pod.is_kind("bond"),
        Strategy::Macvlan => pod.is_kind("macvlan"),
        Strategy::Veth | Strategy::Routed => pod.is_kind("veth"),
    }
}

fn stand_in_over(pod: &LinkView, places: &Places) -> bool {
    // Its lower proves it ours, even if it was cut short before it was marked.
    pod.is_kind("macvlan")
        && places
            .root
            .is_some_and(|root| pod.lower == Some(root.index))
}

fn forgotten(record: &Attachment, switch: Option<&SwitchState>) -> bool {
    switch
        .and_then(|switch| switch.ports.get(&record.port_name))
        .is_some_and(|row| row.forgotten)
}

/// What the devices of a port whose row is there give reason to suspect.
pub fn suspicion(
    record: &Attachment,
    state: &PodState,
    switch: &SwitchState,
    observed: &Observed,
) -> Option<Suspicion> {
    if !switch.ports.contains_key(&record.port_name) {
        return None;
    }
    match step(record, state, Some(switch), observed) {
        Step::Lost => Some(Suspicion::PortLost(record.key())),
        Step::Soon => Some(Suspicion::PortTwice(record.key())),
        Step::Forgotten => Some(Suspicion::PortForgotten(record.key())),
        _ => None,
    }
}

/// What an action that is not a report tells about an attachment, in CHECK's words.
pub fn drift(action: &Action, record: &Attachment, observed: &Observed) -> Vec<Drift> {
    let port = || record.port_name.clone();
    let ifname = || record.ifname.clone();
    let switch = super::live_switch(record, observed).map(|(_, switch)| switch);
    match action {
        Action::MoveIn { .. } | Action::LookAgain { .. } if forgotten(record, switch) => {
            vec![Drift::PortForgotten(port())]
        }
        Action::EnsureBridge { bridge, .. } => vec![Drift::BridgeMissing(bridge.clone())],
        Action::AddPort { .. } => vec![Drift::RowMissing(port())],
        Action::CompletePort { .. } => {
            let row = record.port.switch().and_then(|switch| {
                let state = observed.switches.get(&switch.socket)?.state()?;
                Some((switch, state.ports.get(&record.port_name)?))
            });
            row.map_or_else(Vec::new, |(switch, row)| {
                super::columns::empty_columns(record, switch, row)
            })
        }
        // The record follows the port, not the port the record.
        Action::LearnNoFlood { .. } => Vec::new(),
        Action::SetNoFlood { .. } => vec![Drift::Floods(port())],
        Action::MoveIn { .. } => vec![Drift::PortInRoot(port())],
        Action::RecreatePort { .. } | Action::LookAgain { .. } | Action::Rebuild { .. } => {
            let state = observed
                .pods
                .get(&record.key())
                .and_then(|view| view.state());
            match state.and_then(|state| state.link(&record.ifname)) {
                Some(link) if link.up && !link.carrier => vec![Drift::PodLinkDead(ifname())],
                Some(link) => vec![Drift::PodLinkWrong {
                    name: ifname(),
                    found: link.kind.clone().unwrap_or_else(|| "a device".to_owned()),
                    expected: format!("that of strategy {}", record.strategy()),
                }],
                None => vec![Drift::PodLinkMissing(ifname())],
            }
        }
        _ => Vec::new(),
    }
}
