//! Waiting for a condition instead of for a time.
//!
//! A limit says when to give up, never how long something may take: it is generous, and stretched in the VM,
//! where every instruction is emulated.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::rig::Rig;

/// Polls `condition` until it holds.
///
/// # Errors
/// When it does not within `limit` (stretched by [`Rig::patience`]): the message has `what`.
pub fn until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
    until_some(limit, what, || condition().then_some(()))
}

/// Polls `attempt` until it gives a value, and returns that.
///
/// # Errors
/// As [`until`].
pub fn until_some<T>(
    limit: Duration,
    what: &str,
    mut attempt: impl FnMut() -> Option<T>,
) -> Result<T> {
    let limit = limit * Rig::patience();
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(value) = attempt() {
            return Ok(value);
        }
        if start.elapsed() > limit {
            bail!("waited {} s in vain for {what}", limit.as_secs());
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Polls `attempt` until it succeeds; gives up with its last error as the cause.
///
/// # Errors
/// When it does not succeed within `limit` (stretched by [`Rig::patience`]).
pub fn until_ok<T>(
    limit: Duration,
    what: &str,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let mut last = None;
    let ended = until_some(limit, what, || {
        attempt().map_err(|error| last = Some(error)).ok()
    });
    ended.map_err(|vain| match last {
        Some(error) => error.context(vain.to_string()),
        None => vain,
    })
}
