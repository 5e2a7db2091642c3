//! The daemon's long-lived replica of the switch's tables.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::DATABASE;
use crate::bridge::Bridge;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::interface::Interface;
use crate::monitor::{Monitored, Updates};
use crate::port::Port;
use crate::snapshot::{Connection, Snapshot};
use crate::system::System;
use crate::tables::Tables;

/// First pause before connecting anew; doubled at each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// Longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// A connection that lived this long starts the pauses from the first again.
const STEADY: Duration = Duration::from_secs(2);

/// Silence before the server is asked for a sign of life: OVS's own interval.
const SILENCE: Duration = Duration::from_secs(5);

/// Columns without which berth cannot tell what port is whose. Others may be missing in an older schema.
const NEEDED: [&str; 4] = ["name", "ports", "interfaces", "external_ids"];

/// Follows the database at one socket for as long as it lives: connects, copies, applies updates, and after
/// any loss connects anew (at once, then with growing pauses of at most a second) and copies everything.
#[derive(Debug)]
pub struct Session {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    task: JoinHandle<()>,
}

impl Session {
    /// Starts following the database at `path`, on the current tokio runtime; ends when dropped.
    pub fn start(path: &Path) -> Self {
        Session::probing(path, SILENCE)
    }

    /// As [`start`](Session::start), and asks a server for a sign of life that was silent for `silence`; gives it
    /// as long to answer before the connection counts as lost.
    pub fn probing(path: &Path, silence: Duration) -> Self {
        let away = Connection::Away {
            reason: "not connected yet".to_owned(),
        };
        let (sender, snapshots) = watch::channel(Arc::new(Snapshot::empty(away)));
        let follower = Follower {
            path: path.to_owned(),
            silence,
            tables: Tables::default(),
            resyncs: 0,
            snapshots: sender,
        };
        Session {
            snapshots,
            task: tokio::spawn(follower.run()),
        }
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

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Follower {
    path: PathBuf,
    silence: Duration,
    tables: Tables,
    resyncs: u64,
    snapshots: watch::Sender<Arc<Snapshot>>,
}

impl Follower {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let started = Instant::now();
            let Err(error) = self.follow().await;
            if started.elapsed() >= STEADY {
                pause = FIRST_PAUSE;
            }
            self.away(&error);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// One connection, from its beginning to whatever ends it.
    async fn follow(&mut self) -> Result<std::convert::Infallible> {
        let client = Client::connect(&self.path).await?;
        let schema = client.get_schema(DATABASE).await?;
        let wanted = choose(&schema).map_err(|detail| client.protocol(detail))?;
        let (rows, mut updates) = client.monitor(DATABASE, "berth", wanted).await?;
        self.tables = Tables::default();
        self.tables.apply(rows);
        self.resyncs += 1;
        tracing::info!(path = %self.path.display(), resyncs = self.resyncs, "following the switch's database");
        self.publish(Connection::Live);
        loop {
            match timeout(self.silence, updates.next()).await {
                Ok(Some(first)) => {
                    self.apply(first, &mut updates)
                        .map_err(|detail| client.protocol(detail))?;
                    self.publish(Connection::Live);
                }
                Ok(None) => return Err(client.ended()),
                Err(_) => client.echo(self.silence).await?,
            }
        }
    }

    /// Takes one update and whatever else has come by now, so that a burst makes one snapshot.
    fn apply(
        &mut self,
        first: std::result::Result<Vec<crate::monitor::RowUpdate>, String>,
        updates: &mut Updates,
    ) -> std::result::Result<(), String> {
        let mut next = Some(first);
        while let Some(rows) = next {
            self.tables.apply(rows?);
            next = updates.try_next();
        }
        Ok(())
    }

    fn publish(&self, connection: Connection) {
        self.snapshots
            .send_replace(Arc::new(self.tables.snapshot(connection, self.resyncs)));
    }

    fn away(&self, error: &Error) {
        let connection = Connection::Away {
            reason: error.to_string(),
        };
        let before = self.snapshots.borrow().connection.clone();
        // one line and one wake-up for each loss, not for each attempt that fails the same way
        if before != connection {
            if before == Connection::Live {
                tracing::warn!(%error, "lost the switch's database");
            } else {
                tracing::debug!(%error, "the switch's database is away");
            }
            self.publish(connection);
        }
    }
}

/// What to monitor, of what this schema has; an error names what is missing.
fn choose(schema: &Json) -> std::result::Result<Vec<Monitored>, String> {
    let tables = [
        (System::TABLE, System::COLUMNS),
        (Bridge::TABLE, Bridge::COLUMNS),
        (Port::TABLE, Port::COLUMNS),
        (Interface::TABLE, Interface::COLUMNS),
    ];
    let mut wanted = Vec::with_capacity(tables.len());
    for (table, columns) in tables {
        let known = schema
            .pointer(&format!("/tables/{table}/columns"))
            .and_then(Json::as_object)
            .ok_or_else(|| format!("schema has no table {table}"))?;
        let (columns, missing): (Vec<&str>, Vec<&str>) = columns
            .iter()
            .copied()
            .filter(|column| *column != "_uuid")
            .partition(|column| known.contains_key(*column));
        if let Some(column) = missing.iter().find(|column| NEEDED.contains(column)) {
            return Err(format!("schema has no column {table}.{column}"));
        }
        wanted.push(Monitored { table, columns });
    }
    Ok(wanted)
}
