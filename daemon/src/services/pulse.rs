//! What health and metrics want to know of Services, behind a lock of its own: that of the tables is held for as
//! long as a write takes, and who asks about health must not wait for it, least of all when it hangs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dataplane::tables::PortKey;
use tokio::sync::watch;

use super::changes::Changes;
use super::health_port::{self, Verdict, Wanted};
use super::index::Index;
use super::object::{Leaving, Name};
use crate::clock;
use crate::metrics::Syncs;

/// A change that is not written for so long makes the node unhealthy: kube-proxy's default.
const LATE: Duration = Duration::from_secs(60);

/// How Services do.
#[derive(Debug)]
pub struct Pulse {
    began_us: u64,
    state: Mutex<State>,
    wanted: watch::Sender<Wanted>,
}

#[derive(Debug, Default)]
struct State {
    /// Since when a change waits to be written.
    pending_since: Option<Instant>,
    /// When the changes happened that wait to be written.
    triggered_us: Vec<u64>,
    node: String,
    leaving: Option<Leaving>,
    syncs: Syncs,
    /// Why ports for health checks are not open, by Service.
    closed: BTreeMap<Name, Vec<String>>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            began_us: clock::now_us(),
            state: Mutex::default(),
            wanted: watch::Sender::default(),
        }
    }
}

impl Pulse {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while it was held leaves counters at worst one off.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes are known and will be written.
    pub fn queued(&self, changes: Changes) {
        if !changes.any() {
            return;
        }
        let mut state = self.state();
        state.pending_since.get_or_insert_with(Instant::now);
        state.syncs.last_queued_at = seconds(clock::now_us());
        state.syncs.service_changes += changes.services;
        state.syncs.endpoint_changes += changes.slices;
        // What happened before the start says nothing of how fast this daemon is.
        let told = changes.triggered_us.into_iter();
        let ours = told.filter(|at| *at > self.began_us);
        state.triggered_us.extend(ours);
    }

    /// Tables were written, which took so long.
    pub fn wrote(&self, took: Duration) {
        self.state().syncs.writes.observe(took);
    }

    /// All that was known is written, but for the ports that have failed. Such a port is told of and fails the health
    /// checks of its Service, not the node: what fails here, as a full table, fails everywhere, and all nodes
    /// together would be taken out for the sake of one Service.
    pub fn settled(&self, index: &Index, failed: &BTreeMap<PortKey, String>) {
        let fresh = health_port::wanted(index, failed);
        let here = &index.here().name;
        let mut state = self.state();
        state.node.clone_from(here);
        state.leaving = index.node(here).and_then(|node| node.leaving);
        state.pending_since = None;
        for at in std::mem::take(&mut state.triggered_us) {
            // Clocks of two machines may differ.
            let took = Duration::from_micros(clock::now_us().saturating_sub(at));
            state.syncs.programming.observe(took);
        }
        if failed.is_empty() {
            state.syncs.last_written_at = seconds(clock::now_us());
        }
        drop(state);
        self.wanted.send_if_modified(|wanted| {
            let is_new = *wanted != fresh;
            *wanted = fresh;
            is_new
        });
    }

    /// Why the process should be restarted.
    pub fn late(&self, now: Instant) -> Option<String> {
        let since = now.saturating_duration_since(self.state().pending_since?);
        (since > LATE).then(|| {
            let seconds = since.as_secs();
            format!("a change of Services has waited for {seconds} s to be written")
        })
    }

    /// Why load balancers should send nothing new to this node.
    pub fn problems(&self, now: Instant) -> Vec<String> {
        let late = self.late(now);
        let state = self.state();
        let leaving = state
            .leaving
            .map(|reason| format!("node {} takes nothing new: {reason}", state.node));
        late.into_iter().chain(leaving).collect()
    }

    /// The answer about the Service at a port, if there is one. Not only a stuck proxy but a node on its way out as
    /// well sends load balancers away.
    pub fn verdict(&self, port: u16, is_v4: bool) -> Option<Verdict> {
        let is_healthy = self.problems(Instant::now()).is_empty();
        let wanted = self.wanted.borrow();
        let check = wanted.checks.get(&port)?;
        Some(check.verdict(is_v4, is_healthy))
    }

    /// What is to be answered about Services, now and whenever it changes.
    pub fn wanted(&self) -> watch::Receiver<Wanted> {
        self.wanted.subscribe()
    }

    /// Takes in which ports are not open.
    pub fn set_closed(&self, closed: BTreeMap<Name, Vec<String>>) {
        self.state().closed = closed;
    }

    /// Why a Service's port for health checks is not open.
    pub fn refused(&self, service: &str) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(self.wanted.borrow().refused.get(service).cloned());
        lines.extend(
            self.state()
                .closed
                .get(service)
                .into_iter()
                .flatten()
                .cloned(),
        );
        lines
    }

    /// Counts for the metrics page.
    pub fn syncs(&self) -> Syncs {
        self.state().syncs.clone()
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
#[path = "pulse_tests.rs"]
mod tests;
