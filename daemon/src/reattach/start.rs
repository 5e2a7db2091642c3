//! Opens everything the loop needs. Watches are opened before what they watch is read, so that nothing falls between.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attachment::{Host, Memory, Store, StoreError};
use ovs::{Session, VswitchdWatch};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::known::Known;
use super::mailbox::Mailbox;
use super::run::Reattach;
use super::sources;
use crate::board::Board;
use crate::config::Settings;

/// How long the first pass waits for OVSDB: a connection takes a few milliseconds where there is one.
const FIRST_ANSWER: Duration = Duration::from_millis(500);

/// Why the loop cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// the directory of records cannot be opened
    #[error(transparent)]
    Store(#[from] StoreError),
    /// the directory of records cannot be watched
    #[error("cannot watch the records in {}: {source}", path.display())]
    Watch {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// the node's devices cannot be asked for
    #[error(transparent)]
    Host(#[from] attachment::Error),
    /// the node's devices cannot be watched
    #[error(transparent)]
    Netlink(#[from] netlink::Error),
}

impl Reattach {
    /// Opens everything, in the network namespace of the calling thread, and starts the sources.
    pub async fn start(settings: &Settings, board: Arc<Board>) -> Result<Self, StartError> {
        let store = Store::open(&settings.state_dir)?;
        let records = sources::records::Watch::open(store.directory()).map_err(|source| {
            StartError::Watch {
                path: store.directory().to_owned(),
                source,
            }
        })?;
        let host = Host::current()?;
        let links = host.netns.monitor_links()?;
        let session = Session::start(&settings.ovsdb);
        let mut snapshots = session.subscribe();
        let live = snapshots.wait_for(|snapshot| snapshot.is_live());
        // One that is away now is told by the session when it comes.
        let _ = tokio::time::timeout(FIRST_ANSWER, live).await;
        let snapshot = session.snapshot();
        sources::database::tell(&snapshot, &board);
        let vswitchd = VswitchdWatch::beside(&settings.ovsdb)
            .running()
            .await
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot watch ovs-vswitchd");
                None
            });
        if let Some(vswitchd) = &vswitchd {
            sources::process::started(vswitchd, &board);
        }

        let mailbox = Arc::new(Mailbox::default());
        let (tell, notices) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let (b, m) = (board.clone(), mailbox.clone());
        tasks.spawn(sources::records::follow(store.clone(), records, b, tell));
        let b = board.clone();
        tasks.spawn(sources::links::follow(host.netns.clone(), links, b, m));
        let (b, m) = (board.clone(), mailbox.clone());
        tasks.spawn(sources::database::follow(snapshots, snapshot, b, m));
        let (b, m) = (board.clone(), mailbox.clone());
        let ovsdb = settings.ovsdb.clone();
        tasks.spawn(sources::process::follow(ovsdb, vswitchd, b, m));

        Ok(Self {
            host,
            store,
            ovsdb: settings.ovsdb.clone(),
            ipam_dir: settings.ipam_dir.clone(),
            cni_conf_dir: settings.cni_conf_dir.clone(),
            resync: settings.resync,
            board,
            mailbox,
            session,
            notices,
            known: Known::default(),
            memory: Memory::default(),
            zero: Instant::now(),
            troubles: BTreeMap::new(),
            stale_at_start: None,
            next_full: Instant::now() + settings.resync,
            passes: 0,
            failed_in_a_row: 0,
            records_read: false,
            records_lost: false,
            _sources: tasks,
        })
    }
}
