//! What the daemon knows about itself: written by the re-attach loop, read by the control socket, health and metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use attachment::record::Key;
use tokio::sync::Notify;

use crate::clock;
use crate::metrics::Counts;
use crate::report::{
    CorruptRecord, EventKind, Failure, OvsdbStatus, PassStatus, PortReport, VswitchdStatus,
};
use crate::services::program::Services;
use crate::timeline::Timeline;

/// What never changes while the daemon runs.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// This node's name.
    pub node: String,
    /// Directory of records and control socket.
    pub state_dir: String,
    /// Where health is really served, with the port that was picked.
    pub healthz: Option<String>,
    /// Where metrics are really served.
    pub metrics: Option<String>,
}

/// Everything there is to tell.
#[derive(Debug)]
pub struct Facts {
    /// What never changes.
    pub identity: Identity,
    /// When the daemon started, microseconds since 1970.
    pub started_at_us: u64,
    /// The last events.
    pub timeline: Timeline,
    /// Counters.
    pub counts: Counts,
    /// The OVSDB connection.
    pub ovsdb: OvsdbStatus,
    /// The switch process.
    pub vswitchd: VswitchdStatus,
    /// The passes made.
    pub passes: PassStatus,
    /// When the pass that is under way began.
    pub pass_since: Option<Instant>,
    /// The attachments.
    pub ports: BTreeMap<Key, PortReport>,
    /// Records that cannot be read.
    pub corrupt_records: Vec<CorruptRecord>,
    /// The directory of records, if somebody removed it while the daemon ran.
    pub records_lost: Option<String>,
    /// What is tried again after an error, by subject.
    pub failures: BTreeMap<String, Failure>,
}

impl Facts {
    /// Adds an event that happened now.
    pub fn event(
        &mut self,
        kind: EventKind,
        subject: impl Into<String>,
        detail: impl Into<String>,
        took: Option<Duration>,
    ) {
        let took_ms = took.map(milliseconds);
        self.timeline
            .push(clock::now_us(), kind, subject, detail, took_ms);
    }
}

/// A duration as reports carry it: milliseconds, rounded to microseconds.
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// The facts behind a lock that is never held across an await.
#[derive(Debug)]
pub struct Board {
    facts: Mutex<Facts>,
    /// Rings when a full pass has ended.
    pub pass_ended: Notify,
    services: OnceLock<Arc<Services>>,
}

impl Board {
    /// A board of a daemon that starts now.
    pub fn new(identity: Identity, ovsdb_socket: &str) -> Self {
        Self {
            facts: Mutex::new(Facts {
                identity,
                started_at_us: clock::now_us(),
                timeline: Timeline::default(),
                counts: Counts::default(),
                ovsdb: OvsdbStatus {
                    socket: ovsdb_socket.to_owned(),
                    connected: false,
                    error: Some("not tried yet".to_owned()),
                },
                vswitchd: VswitchdStatus::default(),
                passes: PassStatus::default(),
                pass_since: None,
                ports: BTreeMap::new(),
                corrupt_records: Vec::new(),
                records_lost: None,
                failures: BTreeMap::new(),
            }),
            pass_ended: Notify::new(),
            services: OnceLock::new(),
        }
    }

    /// Services are programmed by this, if by anything; told once.
    pub fn set_services(&self, services: Option<Arc<Services>>) {
        if let Some(services) = services {
            // A second one would be a defect of the start, and the first goes on.
            self.services.set(services).ok();
        }
    }

    /// What Services are programmed by; none where they are not.
    pub fn services(&self) -> Option<&Arc<Services>> {
        self.services.get()
    }

    /// The facts, to read or to change.
    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        // A panic while the lock was held leaves counters at worst one off.
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event that happened now.
    pub fn event(
        &self,
        kind: EventKind,
        subject: impl Into<String>,
        detail: impl Into<String>,
        took: Option<Duration>,
    ) {
        self.facts().event(kind, subject, detail, took);
    }
}
