//! Tells what came of a pass, attachment by attachment, and sees to it that what is not whole is looked at again.

use std::time::{Duration, Instant};

use attachment::record::Attachment;

use super::act::Results;
use super::backoff;
use super::pending::Batch;
use super::run::Reattach;
use super::verdict::{self, Done};
use crate::board::milliseconds;
use crate::clock;
use crate::report::{EventKind, Failure};

/// When an attachment that a plugin held is looked at again.
const BUSY: Duration = Duration::from_millis(100);

impl Reattach {
    /// Brings the board in line with what came of each attachment; how many were changed.
    pub(super) fn tell(
        &mut self,
        batch: &Batch,
        records: &[Attachment],
        results: &Results,
    ) -> usize {
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
                let since = batch.first_signal(&record.port_name);
                let took = since.map(|since| now.saturating_duration_since(since));
                port.repairs += 1;
                port.repaired_at_us = Some(clock::now_us());
                port.repair_took_ms = took.map(milliseconds);
                let pod = port.pod.clone().unwrap_or_else(|| key.to_string());
                let detail = format!("{pod}: {}", done.verbs.join(", "));
                if let Some(took) = took {
                    facts.counts.reattach.observe(took);
                }
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
}
