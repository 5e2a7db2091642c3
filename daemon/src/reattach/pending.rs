//! Folds signals into the next pass. Pure: the clock is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::signal::{Cause, Signal};

/// How long a look at everything waits after the signal for it. What restores traffic is asked for by the signals about
/// single ports, which come in a burst just then and are not to wait for it.
pub const SETTLE: Duration = Duration::from_millis(200);

/// What a pass looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every record.
    All,
    /// The attachments with these ports.
    Ports(BTreeSet<String>),
}

/// The signals that one pass answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What to look at.
    pub scope: Scope,
    /// How many signals of each cause.
    pub causes: BTreeMap<Cause, u32>,
    /// When each port was first signalled.
    pub since: BTreeMap<String, Instant>,
    /// For a look at everything: when the first signal for it came.
    pub all_since: Option<Instant>,
}

impl Batch {
    /// When the first signal came that concerns a port.
    pub fn first_signal(&self, port: &str) -> Option<Instant> {
        self.since.get(port).copied().or(self.all_since)
    }

    /// The causes in words: `link ×3, database`.
    pub fn cause(&self) -> String {
        let words: Vec<_> = self
            .causes
            .iter()
            .map(|(cause, count)| match count {
                1 => cause.as_str().to_owned(),
                _ => format!("{} ×{count}", cause.as_str()),
            })
            .collect();
        words.join(", ")
    }
}

/// Signals that no pass has answered yet.
#[derive(Debug, Default)]
pub struct Pending {
    all_at: Option<Instant>,
    all_since: Option<Instant>,
    ports: BTreeMap<String, Instant>,
    later: BTreeMap<String, Instant>,
    causes: BTreeMap<Cause, u32>,
}

impl Pending {
    /// Takes in a signal.
    pub fn add(&mut self, signal: Signal, now: Instant) {
        *self.causes.entry(signal.cause).or_default() += 1;
        match signal.ports {
            Some(ports) => {
                for port in ports {
                    self.ports.entry(port).or_insert(now);
                }
            }
            None => {
                let wait = match signal.cause {
                    Cause::Start | Cause::Timer => Duration::ZERO,
                    _ => SETTLE,
                };
                self.all_since.get_or_insert(now);
                self.all_by(now + wait);
            }
        }
    }

    /// Asks for a look at one port at a later time; the earliest time counts.
    pub fn again(&mut self, port: String, at: Instant) {
        let due = self.later.entry(port).or_insert(at);
        *due = (*due).min(at);
    }

    /// Asks for a look at everything no later than `at`.
    pub fn all_by(&mut self, at: Instant) {
        self.all_at = Some(self.all_at.map_or(at, |due| due.min(at)));
    }

    /// Whether signals about single ports wait.
    pub fn has_ports(&self) -> bool {
        !self.ports.is_empty()
    }

    /// When the next pass is due; none while nothing is pending.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        if !self.ports.is_empty() {
            return Some(now);
        }
        self.later.values().copied().chain(self.all_at).min()
    }

    /// What is due now; the signals that it answers are forgotten.
    pub fn take(&mut self, now: Instant) -> Option<Batch> {
        if self.due(now).is_none_or(|due| due > now) {
            return None;
        }
        let mut since = std::mem::take(&mut self.ports);
        let mut all_since = None;
        let scope = if self.all_at.is_some_and(|at| at <= now) {
            // Without a signal of its own it was asked for by the loop, for that time.
            all_since = self.all_since.take().or(self.all_at);
            self.all_at = None;
            self.later.retain(|_, at| *at > now);
            Scope::All
        } else {
            for (port, at) in std::mem::take(&mut self.later) {
                if at > now {
                    self.later.insert(port, at);
                } else {
                    since.entry(port).or_insert(at);
                    *self.causes.entry(Cause::Again).or_default() += 1;
                }
            }
            Scope::Ports(since.keys().cloned().collect())
        };
        let mut causes = std::mem::take(&mut self.causes);
        if causes.is_empty() {
            // Nothing new: the loop itself asked for another look at everything.
            causes.insert(Cause::Again, 1);
        }
        Some(Batch {
            scope,
            causes,
            since,
            all_since,
        })
    }
}

#[cfg(test)]
#[path = "pending_tests.rs"]
mod tests;
