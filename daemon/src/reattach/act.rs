//! Carries out what a pass has planned.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use attachment::plan::SOON;
use attachment::record::{Attachment, Key};
use attachment::{Action, Actor, Observed, Outcome};

use super::pending::SETTLE;
use super::run::Reattach;
use super::verdict::{Done, is_served};
use crate::board::milliseconds;
use crate::report::EventKind;

/// What one pass did, by attachment.
pub(super) type Results = BTreeMap<Key, Done>;

impl Reattach {
    /// Carries the actions out in their order.
    pub(super) async fn act(
        &mut self,
        records: &[Attachment],
        observed: &Observed,
        actions: &[Action],
    ) -> Results {
        let mut results = Results::new();
        for record in records.iter().filter(|r| is_served(r, observed)) {
            results.entry(record.key()).or_default().served = true;
        }
        let actor = Actor::new(&self.host, &self.store);
        let mut yielded = false;
        for action in single(actions) {
            let key = subject(&action);
            match &action {
                Action::LookAgain { key, at } => {
                    let at = self.zero + *at;
                    self.mailbox.pending().again(key.port_name(), at);
                    results.entry(key.clone()).or_default().left = true;
                    continue;
                }
                Action::Report { key, drift } => {
                    let done = results.entry(key.clone()).or_default();
                    done.reports.push(drift.clone());
                    continue;
                }
                _ => {}
            }
            // What restores nothing does not hold up ports that have just been signalled.
            let served = key.is_some_and(|key| results.get(key).is_some_and(|done| done.served));
            let swaps = served && matches!(action, Action::MoveIn { .. });
            let can_wait = swaps || is_tidying(&action);
            yielded |= can_wait && self.mailbox.pending().has_ports();
            if can_wait && yielded {
                let at = Instant::now() + SETTLE;
                match key {
                    Some(key) => {
                        self.mailbox.pending().again(key.port_name(), at);
                        results.entry(key.clone()).or_default().left |= served;
                    }
                    None => self.mailbox.pending().all_by(at),
                }
                continue;
            }
            let started = Instant::now();
            let outcome = actor.act(&action).await;
            let took = started.elapsed();
            let record = key.and_then(|key| records.iter().find(|r| r.key() == *key));
            // What was left alone, as a plugin is at work on it, was neither done nor did it fail.
            if !matches!(outcome, Ok(Outcome::Busy | Outcome::Gone)) {
                let done = outcome.is_ok();
                self.memory
                    .acted(&action, record, done, self.zero.elapsed());
            }
            if let Some(key) = key
                && let Some(at) = self.memory.next_announcement(key)
            {
                let at = (self.zero + at).max(Instant::now() + SOON);
                self.mailbox.pending().again(key.port_name(), at);
            }
            self.note(&action, outcome.as_ref().err(), took);
            if let Some(key) = key {
                let entry = results.entry(key.clone()).or_default();
                entry.add(&action, outcome.map_err(|error| error.to_string()));
            }
        }
        results
    }

    /// Counts an action and puts it into the timeline.
    fn note(&self, action: &Action, error: Option<&attachment::Error>, took: Duration) {
        let verb = action.verb();
        let name = match action {
            Action::EnsureBridge { bridge, .. } => bridge.clone(),
            Action::DeleteOrphan { port, .. } => port.clone(),
            _ => subject(action).map(Key::port_name).unwrap_or_default(),
        };
        let mut facts = self.board.facts();
        match error {
            None => {
                tracing::info!(action = verb, port = name, took_ms = milliseconds(took));
                facts.counts.action(verb);
                if matches!(action, Action::Announce { .. }) {
                    // Three of a kind after each repair: nothing to read at night.
                    return;
                }
                let kind = match action {
                    Action::DeleteOrphan { .. } => {
                        facts.counts.stale_ports_deleted += 1;
                        EventKind::StalePortDeleted
                    }
                    _ => EventKind::Action,
                };
                facts.event(kind, name, verb, Some(took));
            }
            Some(error) => {
                tracing::warn!(action = verb, port = name, %error, "action failed");
                facts.counts.error("action");
                let detail = format!("{verb}: {error}");
                facts.event(EventKind::RepairFailed, name, detail, Some(took));
            }
        }
    }
}

/// The actions with those about several attachments taken apart.
fn single(actions: &[Action]) -> Vec<Action> {
    let mut single = Vec::with_capacity(actions.len());
    for action in actions {
        match action {
            Action::SweepAside { keys } => {
                single.extend(keys.iter().map(|key| Action::SweepAside {
                    keys: vec![key.clone()],
                }));
            }
            other => single.push(other.clone()),
        }
    }
    single
}

/// The attachment that a single action is about.
fn subject(action: &Action) -> Option<&Key> {
    match action {
        Action::SweepAside { keys } => keys.first(),
        other => other.key(),
    }
}

/// Whether an action restores nothing but only removes what is left over.
fn is_tidying(action: &Action) -> bool {
    matches!(
        action,
        Action::SweepAside { .. } | Action::Release { .. } | Action::DeleteOrphan { .. }
    )
}
