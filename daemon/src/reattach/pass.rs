//! One pass: observe, plan, act, and tell.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use attachment::record::{Attachment, Phase};
use attachment::{Look, Observed, Suspicion, observe, plan};
use tracing::Instrument;

use super::backoff;
use super::pending::{Batch, SETTLE, Scope};
use super::run::Reattach;
use crate::board::milliseconds;
use crate::clock;
use crate::report::EventKind;

/// When a suspicion that is new gets its second look: a little later than the plan believes it.
const SECOND_LOOK: Duration = Duration::from_millis(2_050);

impl Reattach {
    /// Makes the pass that a batch asks for and tells how it went.
    pub(super) async fn pass(&mut self, batch: Batch) {
        let full = batch.scope == Scope::All;
        // The records as they were known are better than none, but nothing is deleted on their word.
        let mut unreadable = None;
        let records = if full {
            match self.known.reload(&self.store) {
                Ok(()) => self.show_all(),
                Err(error) => unreadable = Some(error.to_string()),
            }
            self.records_read = unreadable.is_none();
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
        let error = unreadable.or(result.as_ref().err().map(ToString::to_string));
        span.in_scope(|| match (error, result) {
            (None, Ok(changed)) => self.passed(&batch, full, changed, took),
            (error, _) => self.failed(&batch, &error.unwrap_or_default()),
        });
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
            complete: full && self.records_read && !self.records_lost && self.known.is_whole(),
            flood_bits: full,
            switches: self.switches(records).await,
            memory: self.memory.clone(),
        };
        let observed = observe(&self.host, records, look).await?;
        let actions = plan(records, &observed);
        tracing::debug!(
            took_ms = milliseconds(self.zero.elapsed().saturating_sub(observed.now)),
            actions = actions.len(),
            plan = ?actions.iter().map(attachment::Action::verb).collect::<BTreeSet<_>>(),
            "looked"
        );
        self.suspect(full, records, &observed);
        let results = self.act(records, &observed, &actions).await;
        let changed = self.tell(batch, records, &results);
        if full {
            self.tidy(records, &observed, &actions, &results);
        }
        Ok(changed)
    }

    /// Remembers suspicions and sees to their second look.
    fn suspect(&mut self, full: bool, records: &[Attachment], observed: &Observed) {
        let soon = if full {
            self.memory.remember(records, observed);
            let first_seen = |first: &Duration| *first == observed.now;
            let new: Vec<_> = self
                .memory
                .suspicions
                .iter()
                .filter(|(_, first)| first_seen(first))
                .map(|(suspicion, _)| suspicion)
                .collect();
            for suspicion in &new {
                if let Suspicion::Orphan { port, .. } = suspicion {
                    let detail = "no record owns it; it goes if a second look says the same";
                    self.board
                        .event(EventKind::StalePortSeen, port, detail, None);
                }
            }
            (!new.is_empty()).then_some(SECOND_LOOK)
        } else {
            // Only a look at everything can remember, as it drops what it does not confirm.
            self.memory.mark_silent(records, observed);
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

    fn passed(&mut self, batch: &Batch, full: bool, changed: usize, took: Duration) {
        tracing::debug!(changed, took_ms = milliseconds(took), "done");
        self.failed_in_a_row = 0;
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

    fn failed(&mut self, batch: &Batch, error: &str) {
        tracing::error!(error, "pass failed");
        let mut facts = self.board.facts();
        facts.counts.failed_passes += 1;
        facts.counts.error("pass");
        facts.passes.failed += 1;
        facts.passes.last_at_us = Some(clock::now_us());
        facts.passes.last_cause = Some(batch.cause());
        facts.passes.error = Some(error.to_owned());
        facts.event(EventKind::PassFailed, batch.cause(), error, None);
        self.failed_in_a_row += 1;
        let at = Instant::now() + backoff::wait(self.failed_in_a_row);
        self.mailbox.pending().all_by(at);
    }
}
