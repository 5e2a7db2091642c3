//! Where the sources put their signals and the loop finds them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::pending::Pending;
use super::signal::Signal;

/// Pending signals, and a bell.
#[derive(Debug, Default)]
pub struct Mailbox {
    pending: Mutex<Pending>,
    bell: Notify,
}

impl Mailbox {
    /// Puts a signal in and wakes the loop.
    pub fn put(&self, signal: Signal) {
        self.pending().add(signal, Instant::now());
        self.bell.notify_one();
    }

    /// What is pending, never held across an await.
    pub fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a pass may be due; spurious returns are possible.
    pub async fn wait(&self) {
        let due = self.pending().due(Instant::now());
        match due {
            Some(due) => {
                // Whatever comes in first; a ring from before this call counts too.
                let _ = tokio::time::timeout_at(due.into(), self.bell.notified()).await;
            }
            None => self.bell.notified().await,
        }
    }
}
