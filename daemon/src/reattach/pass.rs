//! One pass: observe, plan, act, and tell.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use attachment::record::{Attachment, Key, Phase};
use attachment::view::PodView;
use attachment::{Action, Actor, Look, Observed, Suspicion, observe, plan};
use tracing::Instrument;

use super::backoff;
use super::clean::{self, CleanError};
use super::pending::{Batch, SETTLE, Scope};
use super::run::Reattach;
use super::verdict::{self, Done};
use crate::board::milliseconds;
use crate::report::{EventKind, Failure};
use crate::{clock, confs, process};

/// When a suspicion that is new gets its second look: a little later than the plan believes it.
const SECOND_LOOK: Duration = Duration::from_millis(2_050);

/// When an attachment that a plugin held is looked at again.
const BUSY: Duration = Duration::from_millis(100);

/// What one pass did, by attachment.
type Results = BTreeMap<Key, Done>;

impl Reattach {
    /// Makes the pass that a batch asks for and tells how it went.
    pub(super) async fn pass(&mut self, batch: Batch) {
        let full = batch.scope == Scope::All;
        let records = if full {
            match self.known.reload(&self.store) {
                Ok(()) => self.show_all(),
                // The records as they were known are better than none.
                Err(error) => self.failed(&batch, &error.to_string()),
            }
            self.next_full = Instant::now() + self.resync;
            self.known.all()
        } else {
            self.named(&batch)
        };
        if !full && records.is_empty() {
            return;
        }
        self.passes += 1;
        let span = tracing::info_span!(
            "pass",
            number = self.passes,
            cause = batch.cause(),
            full,
            records = records.len()
        );
        let started = Instant::now();
        self.board.facts().pass_since = Some(started);
        let result = self
            .look_and_act(&batch, &records)
            .instrument(span.clone())
            .await;
        let took = started.elapsed();
        self.board.facts().pass_since = None;
        match result {
            Ok(changed) => span.in_scope(|| self.passed(&batch, full, changed, took)),
            Err(error) => span.in_scope(|| self.failed(&batch, &error.to_string())),
        }
    }

    /// The records of the ports that a batch names; those under an ADD or DEL are the plugin's.
    fn named(&self, batch: &Batch) -> Vec<Attachment> {
        let ports = batch.since.keys();
        ports
            .filter_map(|port| self.known.by_port(port))
            .filter(|record| record.phase == Phase::Ready)
            .cloned()
            .collect()
    }

    /// The pass proper; how many attachments were changed.
    async fn look_and_act(
        &mut self,
        batch: &Batch,
        records: &[Attachment],
    ) -> attachment::Result<usize> {
        let full = batch.scope == Scope::All;
        let look = Look {
            now: self.zero.elapsed(),
            state_dir: self.store.state_dir().to_owned(),
            complete: full && self.known.broken().is_empty(),
            switches: self.switches(records).await,
            memory: self.memory.clone(),
        };
        let observed = observe(&self.host, records, look).await?;
        let actions = plan(records, &observed);
        tracing::debug!(
            took_ms = milliseconds(self.zero.elapsed().saturating_sub(observed.now)),
            actions = actions.len(),
            "looked"
        );
        self.suspect(full, records, &observed);
        let results = self.act(records, &actions).await;
        let changed = self.tell(batch, records, &results);
        if full {
            self.clean(records, &observed, &actions, &results);
        }
        Ok(changed)
    }

    /// Remembers suspicions and sees to their second look.
    fn suspect(&mut self, full: bool, records: &[Attachment], observed: &Observed) {
        let soon = if full {
            self.memory.remember(records, observed);
            let mut since = self.memory.suspicions.values();
            since
                .any(|first| *first == observed.now)
                .then_some(SECOND_LOOK)
        } else {
            // Only a look at everything can remember, as it drops what it does not confirm.
            let found = plan::suspicions(records, observed);
            let known = &self.memory.suspicions;
            found
                .iter()
                .any(|suspicion| !known.contains_key(suspicion))
                .then_some(SETTLE)
        };
        if let Some(wait) = soon {
            self.mailbox.pending().all_by(Instant::now() + wait);
        }
    }

    /// Carries the actions out in their order.
    async fn act(&mut self, records: &[Attachment], actions: &[Action]) -> Results {
        let mut results = Results::new();
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
            // What only tidies up does not hold up ports that have just been signalled.
            yielded |= is_tidying(&action) && self.mailbox.pending().has_ports();
            if yielded {
                let at = Instant::now() + SETTLE;
                match key {
                    Some(key) => self.mailbox.pending().again(key.port_name(), at),
                    None => self.mailbox.pending().all_by(at),
                }
                continue;
            }
            let started = Instant::now();
            let outcome = actor.act(&action).await;
            let took = started.elapsed();
            let record = key.and_then(|key| records.iter().find(|r| r.key() == *key));
            let done = outcome.is_ok();
            self.memory
                .acted(&action, record, done, self.zero.elapsed());
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

    /// Brings the board in line with what came of each attachment; how many were changed.
    fn tell(&mut self, batch: &Batch, records: &[Attachment], results: &Results) -> usize {
        let now = Instant::now();
        let mut changed = 0;
        let nothing = Done::default();
        for record in records {
            let key = record.key();
            let done = results.get(&key).unwrap_or(&nothing);
            let (state, problem) = verdict::state(record, done);
            let mut facts = self.board.facts();
            let facts = &mut *facts;
            let Some(port) = facts.ports.get_mut(&key) else {
                continue;
            };
            port.state = state;
            port.problem = problem;
            if done.repaired() {
                changed += 1;
                let since = batch.since.get(&record.port_name);
                let took = since.map(|since| now.saturating_duration_since(*since));
                port.repairs += 1;
                port.repaired_at_us = Some(clock::now_us());
                port.repair_took_ms = took.map(milliseconds);
                let pod = port.pod.clone().unwrap_or_else(|| key.to_string());
                let detail = format!("{pod}: {}", done.verbs.join(", "));
                facts.counts.reattach.observe(took.unwrap_or_default());
                let name = record.port_name.clone();
                facts.event(EventKind::Repaired, name, detail, took);
            }
            let subject = key.to_string();
            if let Some(error) = &done.error {
                let trouble = self.troubles.entry(key).or_default();
                trouble.attempts += 1;
                let wait = backoff::wait(trouble.attempts);
                let failure = Failure {
                    subject: subject.clone(),
                    error: error.clone(),
                    attempts: trouble.attempts,
                    retry_at_us: clock::now_us() + wait.as_micros() as u64,
                };
                facts.failures.insert(subject, failure);
                let port = record.port_name.clone();
                self.mailbox.pending().again(port, now + wait);
                continue;
            }
            facts.failures.remove(&subject);
            let wait = if done.repaired() {
                // It must prove itself; one that does not hold backs off like an error.
                let trouble = self.troubles.entry(key).or_default();
                trouble.attempts += 1;
                Some(backoff::wait(trouble.attempts))
            } else if done.busy {
                Some(BUSY)
            } else {
                if !done.left && done.reports.is_empty() {
                    self.troubles.remove(&key);
                }
                None
            };
            if let Some(wait) = wait {
                let port = record.port_name.clone();
                self.mailbox.pending().again(port, now + wait);
            }
        }
        changed
    }

    /// Removes records of which nothing else is left: of pods that were gone when the daemon started, which nobody may
    /// ever delete, and those that a DEL left behind because the switch was away.
    fn clean(
        &mut self,
        records: &[Attachment],
        observed: &Observed,
        actions: &[Action],
        results: &Results,
    ) {
        let Some(stale) = &mut self.stale_at_start else {
            let gone = records.iter().map(Attachment::key);
            let gone = gone.filter(|key| is_gone(observed, key)).collect();
            self.stale_at_start = Some(gone);
            self.clean_leases(records);
            return;
        };
        for record in records {
            let key = record.key();
            let dead = match record.phase {
                Phase::Adding => false,
                Phase::Ready => {
                    let suspicion = Suspicion::PodGone(key.clone());
                    stale.contains(&key)
                        && is_gone(observed, &key)
                        && observed.memory.confirmed(&suspicion, observed.now)
                }
                Phase::Deleting => true,
            };
            let mut planned = actions.iter().filter(|action| action.key() == Some(&key));
            let settled = !planned.any(Action::changes) || results.get(&key).is_some_and(released);
            if !dead || !settled || !switch_is_seen(observed, record) {
                continue;
            }
            let mut facts = self.board.facts();
            match clean::clean_record(&self.store, &self.ipam_dir, record) {
                Ok(released) => {
                    tracing::info!(attachment = %key, ?released, "record of a dead pod removed");
                    stale.remove(&key);
                    facts.counts.records_cleaned += 1;
                    facts.counts.leases_released += released.len() as u64;
                    let addresses: Vec<_> = released.iter().map(ToString::to_string).collect();
                    let detail = match addresses.as_slice() {
                        [] => "its pod is gone".to_owned(),
                        _ => format!("its pod is gone; released {}", addresses.join(", ")),
                    };
                    facts.event(EventKind::RecordCleaned, key.to_string(), detail, None);
                }
                // The plugin ends what it does, and the record's file will tell.
                Err(CleanError::Busy(_)) => {}
                Err(error) => {
                    tracing::warn!(attachment = %key, %error, "record of a dead pod stays");
                    facts.counts.error("clean");
                }
            }
        }
    }

    /// Releases leases from before the last boot.
    fn clean_leases(&self, records: &[Attachment]) {
        let Some(boot) = process::boot_time() else {
            return;
        };
        let confs = confs::read(&self.cni_conf_dir).unwrap_or_else(|error| {
            tracing::warn!(directory = %self.cni_conf_dir.display(), %error, "cannot read CNI configurations");
            Vec::new()
        });
        let networks = confs::networks(&confs, records);
        let (released, errors) = clean::old_leases(&self.ipam_dir, &networks, records, boot);
        let mut facts = self.board.facts();
        for (network, address) in released {
            tracing::info!(network, %address, "lease from before the last boot released");
            facts.counts.leases_released += 1;
            let detail = format!("network {network}, from before the last boot");
            facts.event(EventKind::LeaseReleased, address.to_string(), detail, None);
        }
        for error in errors {
            tracing::warn!(%error, "stale leases stay");
            facts.counts.error("clean");
        }
    }

    fn passed(&self, batch: &Batch, full: bool, changed: usize, took: Duration) {
        tracing::debug!(changed, took_ms = milliseconds(took), "done");
        let mut facts = self.board.facts();
        facts.counts.pass(full, took);
        if full {
            facts.passes.full += 1;
            self.board.pass_ended.notify_one();
        } else {
            facts.passes.partial += 1;
        }
        facts.passes.last_at_us = Some(clock::now_us());
        facts.passes.last_took_ms = Some(milliseconds(took));
        facts.passes.last_cause = Some(batch.cause());
        facts.passes.error = None;
        // Passes that found everything in order are counted, not told.
        if changed > 0 {
            let detail = format!("{changed} repaired, because of {}", batch.cause());
            let scope = if full { "all" } else { "some" };
            facts.event(EventKind::Pass, scope, detail, Some(took));
        }
    }

    fn failed(&self, batch: &Batch, error: &str) {
        tracing::error!(error, "pass failed");
        let mut facts = self.board.facts();
        facts.counts.failed_passes += 1;
        facts.counts.error("pass");
        facts.passes.failed += 1;
        facts.passes.last_at_us = Some(clock::now_us());
        facts.passes.last_cause = Some(batch.cause());
        facts.passes.error = Some(error.to_owned());
        facts.event(EventKind::PassFailed, batch.cause(), error, None);
        let failed = u32::try_from(facts.passes.failed).unwrap_or(u32::MAX);
        let at = Instant::now() + backoff::wait(failed);
        self.mailbox.pending().all_by(at);
    }
}

/// Whether the pod of an attachment is gone, as far as this look can tell.
fn is_gone(observed: &Observed, key: &Key) -> bool {
    let pod = observed.pods.get(key);
    matches!(pod, Some(PodView::Gone | PodView::Replaced))
}

/// Whether everything of the attachment was taken down in this pass.
fn released(done: &Done) -> bool {
    done.verbs == ["release"] && done.error.is_none()
}

/// Whether it is known what the switch has: a port cannot be told to be gone from a switch that does not answer.
fn switch_is_seen(observed: &Observed, record: &Attachment) -> bool {
    record.port.switch().is_none_or(|port| {
        let view = observed.switches.get(&port.socket);
        view.is_some_and(|view| view.state().is_some())
    })
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
