//! The loop itself: waits, takes what is pending, makes a pass.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attachment::record::Key;
use attachment::{Host, Memory, Store};
use ovs::Session;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::known::Known;
use super::mailbox::Mailbox;
use super::signal::{Cause, Signal};
use super::sources::records::Notice;
use crate::board::Board;

/// An attachment that was repaired or could not be, and has not been found whole since.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble {
    /// Repairs in a row, whether they failed or did not hold.
    pub attempts: u32,
}

/// Everything the loop holds.
#[derive(Debug)]
pub struct Reattach {
    pub(super) host: Host,
    pub(super) store: Store,
    pub(super) ovsdb: PathBuf,
    pub(super) ipam_dir: PathBuf,
    pub(super) cni_conf_dir: PathBuf,
    pub(super) resync: Duration,
    pub(super) board: Arc<Board>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) session: Session,
    pub(super) notices: UnboundedReceiver<Notice>,
    pub(super) known: Known,
    pub(super) memory: Memory,
    /// Zero of the clock that plans are made on.
    pub(super) zero: Instant,
    pub(super) troubles: BTreeMap<Key, Trouble>,
    /// Attachments whose pod was gone at the first pass; none before it.
    pub(super) stale_at_start: Option<BTreeSet<Key>>,
    pub(super) next_full: Instant,
    pub(super) passes: u64,
    pub(super) failed_in_a_row: u32,
    /// Whether the last reading of all records succeeded.
    pub(super) records_read: bool,
    /// Whether the directory of records was removed while the daemon ran. What is missing since then proves nothing:
    /// nothing is deleted for the lack of a record until the next start.
    pub(super) records_lost: bool,
    /// The sources end with the loop.
    pub(super) _sources: JoinSet<()>,
}

impl Reattach {
    /// Runs for ever. Dropped between two actions it leaves everything in a state that the next start completes.
    pub async fn run(mut self) {
        self.mailbox.put(Signal::all(Cause::Start));
        loop {
            while let Ok(notice) = self.notices.try_recv() {
                self.take_notice(notice);
            }
            let batch = self.mailbox.pending().take(Instant::now());
            if let Some(batch) = batch {
                self.pass(batch).await;
                // A burst of signals must not keep the control socket from being served.
                tokio::task::yield_now().await;
                continue;
            }
            let mailbox = self.mailbox.clone();
            tokio::select! {
                () = mailbox.wait() => {}
                notice = self.notices.recv() => {
                    if let Some(notice) = notice {
                        self.take_notice(notice);
                    }
                }
                () = tokio::time::sleep_until(self.next_full.into()) => {
                    self.next_full = Instant::now() + self.resync;
                    self.mailbox.put(Signal::all(Cause::Timer));
                }
            }
        }
    }
}
