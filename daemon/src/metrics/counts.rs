//! What is counted as it happens.

use std::collections::BTreeMap;
use std::time::Duration;

use super::histogram::Histogram;

/// What asks whether the node or the daemon is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// `/healthz`.
    Healthz,
    /// `/livez`.
    Livez,
}

/// Counters since the daemon started.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Passes over all records that ended well, and what each took.
    pub full_passes: Histogram,
    /// Passes over the ports that a signal named.
    pub partial_passes: Histogram,
    /// Passes that failed as a whole.
    pub failed_passes: u64,
    /// Actions done, by kind.
    pub actions: BTreeMap<String, u64>,
    /// Errors, by where they arose.
    pub errors: BTreeMap<&'static str, u64>,
    /// From the first signal about an attachment to its repair.
    pub reattach: Histogram,
    /// Deaths of ovs-vswitchd.
    pub vswitchd_deaths: u64,
    /// Ports without a record that were deleted.
    pub stale_ports_deleted: u64,
    /// Records of dead pods that were removed.
    pub records_cleaned: u64,
    /// Leases of dead pods that were released.
    pub leases_released: u64,
    /// Probes answered, by HTTP status.
    pub probes: BTreeMap<(Probe, u16), u64>,
}

impl Counts {
    /// Counts an action done.
    pub fn action(&mut self, kind: &str) {
        match self.actions.get_mut(kind) {
            Some(count) => *count += 1,
            None => {
                self.actions.insert(kind.to_owned(), 1);
            }
        }
    }

    /// Counts a probe that was answered with an HTTP status.
    pub fn probe(&mut self, probe: Probe, status: u16) {
        *self.probes.entry((probe, status)).or_default() += 1;
    }

    /// Counts an error.
    pub fn error(&mut self, place: &'static str) {
        *self.errors.entry(place).or_default() += 1;
    }

    /// Counts a pass that ended well.
    pub fn pass(&mut self, full: bool, took: Duration) {
        if full {
            self.full_passes.observe(took);
        } else {
            self.partial_passes.observe(took);
        }
    }
}
