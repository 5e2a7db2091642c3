//! What a daemon carries from one look to the next.
//!
//! Two things cannot be decided from one look: whether something that seems
//! abandoned really is (so nothing is deleted before a second look), and whether
//! a repair is being undone as fast as it is made (so that it backs off). Losing
//! the memory is harmless: both start afresh.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::action::Action;
use crate::flood::Life;
use crate::record::{Attachment, Datapath, Key};
use crate::strategy::Strategy;
use crate::view::{Observed, PodView};

/// How far apart two looks must be before anything is deleted on their word.
pub const SECOND_LOOK: Duration = Duration::from_secs(2);

/// Delay after the first repair that did not hold.
pub const FIRST_DELAY: Duration = Duration::from_millis(100);

/// Longest delay between two repairs of one attachment.
pub const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// After so long without a repair an attachment counts as settled.
pub const SETTLED: Duration = Duration::from_secs(60);

/// Something that seems abandoned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suspicion {
    /// A row of ours that no record owns.
    Orphan {
        /// OVSDB socket.
        socket: PathBuf,
        /// Port name.
        port: String,
    },
    /// An attachment whose namespace is gone or was replaced.
    PodGone(Key),
    /// An attachment whose device is in neither namespace although vswitchd lives.
    PortLost(Key),
    /// An attachment with a live device in its pod and a new one in the root namespace, and
    /// vswitchd does not say which of them it holds.
    PortTwice(Key),
    /// An attachment with a live device in its pod that its bridge knows nothing of.
    PortForgotten(Key),
}

/// Repairs of one attachment that did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attempts {
    /// How many in a row.
    pub count: u32,
    /// When the last was made, on the clock of [`Observed::now`].
    pub last: Duration,
}

impl Attempts {
    /// The earliest time for the next repair.
    pub fn not_before(&self) -> Duration {
        if self.count == 0 {
            return Duration::ZERO;
        }
        let factor = 2u32.saturating_pow((self.count - 1).min(16));
        self.last + (FIRST_DELAY * factor).min(LONGEST_DELAY)
    }
}

/// How long after one announcement the next follows. The first may come to a switch that
/// does not forward yet, and an announcement is lost without a sign (RFC 5227 asks for two).
pub const ANNOUNCE_AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(250)];

/// Announcements that are still to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unannounced {
    /// How many have been made.
    pub made: usize,
    /// When the next is due, on the clock of [`Observed::now`].
    pub at: Duration,
}

impl Unannounced {
    fn at_once(now: Duration) -> Self {
        Self { made: 0, at: now }
    }

    /// After one more; none if it was the last.
    fn told(self, now: Duration) -> Option<Self> {
        let pause = ANNOUNCE_AGAIN.get(self.made)?;
        Some(Self {
            made: self.made + 1,
            at: now + *pause,
        })
    }
}

/// See the module's text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// When each suspicion first arose; gone as soon as one look does not confirm it.
    pub suspicions: BTreeMap<Suspicion, Duration>,
    /// Repairs that did not hold.
    pub attempts: BTreeMap<Key, Attempts>,
    /// Attachments that were without traffic, and whose neighbours are still to be told that
    /// they are back.
    pub unannounced: BTreeMap<Key, Unannounced>,
    /// Attachments whose port had NO_FLOOD set when last looked at, or had it set by us since,
    /// and the life of the bit.
    pub no_flood: BTreeMap<Key, Life>,
    /// When a port was last moved into its pod.
    pub last_move: Option<Duration>,
}

impl Memory {
    /// Whether an earlier look, long enough ago, saw the same.
    pub fn confirmed(&self, suspicion: &Suspicion, now: Duration) -> bool {
        self.suspicions
            .get(suspicion)
            .is_some_and(|first| now.saturating_sub(*first) >= SECOND_LOOK)
    }

    /// Takes in a look: suspicions it does not confirm are dropped.
    pub fn remember(&mut self, records: &[Attachment], observed: &Observed) {
        let now = observed.now;
        let seen = crate::plan::suspicions(records, observed);
        let former = std::mem::take(&mut self.suspicions);
        self.suspicions = seen
            .into_iter()
            .map(|suspicion| {
                let first = former.get(&suspicion).copied().unwrap_or(now);
                (suspicion, first)
            })
            .collect();
        for record in records {
            let row = crate::plan::row_of(record, observed);
            match row.and_then(|row| row.no_flood.as_ref()) {
                Some(flood) if flood.off => {
                    self.no_flood.insert(record.key(), flood.life.clone());
                }
                // Not asked for.
                None if !row.is_some_and(|row| row.forgotten) => {}
                _ => {
                    self.no_flood.remove(&record.key());
                }
            }
        }
        self.no_flood
            .retain(|key, _| records.iter().any(|r| r.key() == *key));
        self.mark_silent(records, observed);
        self.unannounced
            .retain(|key, _| records.iter().any(|r| r.key() == *key));
        self.attempts.retain(|key, attempts| {
            now.saturating_sub(attempts.last) < SETTLED && records.iter().any(|r| r.key() == *key)
        });
    }

    /// Takes in which macvlans have no carrier, as those over a tap that vswitchd has left:
    /// the kernel forgets the neighbours of such a device, and who asks for one meanwhile
    /// asks again only after a second.
    pub fn mark_silent(&mut self, records: &[Attachment], observed: &Observed) {
        let silent = records.iter().filter(|record| {
            let state = observed.pods.get(&record.key()).and_then(PodView::state);
            record.strategy() == Strategy::Macvlan
                && state
                    .and_then(|state| state.link(&record.ifname))
                    .is_some_and(|link| link.up && !link.carrier)
        });
        for record in silent {
            let anew = Unannounced::at_once(observed.now);
            let known = self.unannounced.entry(record.key()).or_insert(anew);
            let lower = observed.root.links.get(&record.port_name);
            // From when the lower has its carrier the macvlan is late, and that is counted.
            if known.made > 0 || !lower.is_some_and(|lower| lower.carrier) {
                *known = anew;
            }
        }
    }

    /// Takes in that `action` was carried out (`done`) or failed, at `now`.
    ///
    /// Failures count, and so does putting a renamed port back on a kernel
    /// datapath: each such repair is itself a link event that can lose it again.
    pub fn acted(
        &mut self,
        action: &Action,
        record: Option<&Attachment>,
        done: bool,
        now: Duration,
    ) {
        let Some(key) = action.key() else { return };
        if matches!(action, Action::MoveIn { .. }) {
            self.last_move = Some(now);
        }
        match action {
            Action::StandIn { .. } if done => {
                let anew = Unannounced::at_once(now);
                self.unannounced.insert(key.clone(), anew);
            }
            // They tell the neighbours themselves, for the first time.
            Action::MoveIn { .. } | Action::Rebuild { .. }
                if done && record.is_some_and(|record| record.port.switch().is_some()) =>
            {
                self.told(key, Unannounced::at_once(now), now);
            }
            Action::SetNoFlood { life, .. } if done => {
                self.no_flood.insert(key.clone(), life.clone());
            }
            Action::Announce { .. } => {
                if let Some(unannounced) = self.unannounced.get(key).copied() {
                    self.told(key, unannounced, now);
                }
            }
            _ => {}
        }
        let provokes = matches!(action, Action::MoveIn { .. })
            && record.is_some_and(|r| {
                r.strategy() == Strategy::Rename
                    && r.port
                        .switch()
                        .is_some_and(|s| s.datapath == Datapath::Kernel)
            });
        if done && !provokes {
            return;
        }
        let attempts = self.attempts.entry(key.clone()).or_default();
        attempts.count = attempts.count.saturating_add(1);
        attempts.last = now;
    }

    /// The neighbours of `key` were told once.
    fn told(&mut self, key: &Key, unannounced: Unannounced, now: Duration) {
        match unannounced.told(now) {
            Some(rest) => self.unannounced.insert(key.clone(), rest),
            None => self.unannounced.remove(key),
        };
    }

    /// When the neighbours of `key` are to be told next that it is back.
    pub fn next_announcement(&self, key: &Key) -> Option<Duration> {
        self.unannounced.get(key).map(|unannounced| unannounced.at)
    }

    /// The earliest time for the next repair of `key`.
    pub fn not_before(&self, key: &Key) -> Duration {
        self.attempts
            .get(key)
            .map_or(Duration::ZERO, Attempts::not_before)
    }
}
