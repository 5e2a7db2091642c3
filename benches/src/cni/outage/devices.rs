//! The moment a port's device is there again in the node's namespace.
//!
//! After a restart vswitchd makes a new internal device where the old one was
//! moved away, or opens the one that stayed, which gets its carrier back. From
//! then on it is berth's turn: the time until the pod answers is berth's own.
//! A veth stays as it is, so it has no such moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ::tests::netns::Netns;
use anyhow::{Context, Result};
use netlink::LinkEvent;
use tokio::runtime::Builder;

/// What was seen of a device, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// It appeared in the namespace.
    Added,
    /// It lost its carrier.
    Dark,
    /// It has its carrier.
    Running,
    /// It left.
    Gone,
}

/// A running watch of a node's devices.
#[derive(Debug)]
pub struct Devices {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<(Instant, String, Sight)>>>,
    thread: Option<JoinHandle<()>>,
}

impl Devices {
    /// Begin to watch the devices of `node`.
    ///
    /// # Errors
    /// When its netlink socket cannot be opened.
    pub fn watch(node: &Netns) -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
        let mut monitor =
            runtime.block_on(async { netlink::Netns::open(node.path())?.monitor_links() })?;
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (halt, log) = (Arc::clone(&stop), Arc::clone(&seen));
        let thread = thread::spawn(move || {
            runtime.block_on(async move {
                while !halt.load(Ordering::Relaxed) {
                    let event =
                        tokio::time::timeout(Duration::from_millis(100), monitor.next()).await;
                    let now = Instant::now();
                    let (link, sight) = match event {
                        Err(_) => continue,
                        Ok(None) => break,
                        Ok(Some(LinkEvent::Overrun)) => continue,
                        Ok(Some(LinkEvent::Added(link))) => (link, Sight::Added),
                        Ok(Some(LinkEvent::Removed(link))) => (link, Sight::Gone),
                        Ok(Some(LinkEvent::Changed(link))) => {
                            let sight = if link.running {
                                Sight::Running
                            } else {
                                Sight::Dark
                            };
                            (link, sight)
                        }
                    };
                    let mut log = log
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    log.push((now, link.name, sight));
                }
            });
        });
        Ok(Self {
            stop,
            seen,
            thread: Some(thread),
        })
    }

    /// When each device was there again after `event`, by its name.
    pub fn there_again(&self, event: Instant) -> BTreeMap<String, Instant> {
        let seen = self
            .seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        there_again(seen.iter().filter(|(at, ..)| *at >= event))
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// The first appearance of each device, or the first carrier after a loss of it.
fn there_again<'a>(
    seen: impl Iterator<Item = &'a (Instant, String, Sight)>,
) -> BTreeMap<String, Instant> {
    let mut dark = BTreeSet::new();
    let mut there = BTreeMap::new();
    for (at, name, sight) in seen {
        let back = match sight {
            Sight::Added => true,
            Sight::Running => dark.contains(name),
            Sight::Dark => {
                dark.insert(name);
                false
            }
            Sight::Gone => false,
        };
        if back {
            there.entry(name.clone()).or_insert(*at);
        }
    }
    there
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(story: &[Sight]) -> Option<usize> {
        let start = Instant::now();
        let at = |number: usize| start + Duration::from_millis(number as u64);
        let seen: Vec<_> = story
            .iter()
            .enumerate()
            .map(|(n, &s)| (at(n), "p".to_owned(), s))
            .collect();
        let found = there_again(seen.iter()).get("p").copied()?;
        (0..story.len()).find(|&number| at(number) == found)
    }

    #[test]
    fn a_new_device_is_there_when_it_appears() {
        assert_eq!(there(&[Sight::Added, Sight::Running, Sight::Gone]), Some(0));
    }

    #[test]
    fn a_device_that_stayed_is_there_with_its_carrier() {
        assert_eq!(there(&[Sight::Dark, Sight::Dark, Sight::Running]), Some(2));
    }

    #[test]
    fn a_device_that_nothing_happened_to_has_no_moment() {
        assert_eq!(there(&[Sight::Running, Sight::Running]), None);
        assert_eq!(there(&[Sight::Dark, Sight::Gone]), None);
    }
}
