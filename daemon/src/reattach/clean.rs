//! What is cleaned up beside ports: records of pods that died while nobody looked, records of which a DEL could not
//! remove the port because the switch was away, and leases from before the last boot.

use std::net::IpAddr;
use std::path::Path;

use attachment::record::{Attachment, Key, Phase};
use attachment::{Store, StoreError};

use crate::confs::Leased;
use crate::leases;

/// Why something stale stays.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// the record cannot be read or removed
    #[error(transparent)]
    Store(#[from] StoreError),
    /// a lease cannot be released
    #[error(transparent)]
    Ipam(#[from] ipam::Error),
    /// a plugin is at work on the attachment
    #[error("attachment {0} is locked by a plugin")]
    Busy(Key),
}

/// Removes a record and releases its leases, which it returns. The caller knows that the pod is gone and that nothing
/// of the attachment is left, and where the network's leases are (`data_dir`); leases go first, so that a crash in between is repeated and not forgotten.
pub fn clean_record(
    store: &Store,
    data_dir: &Path,
    record: &Attachment,
) -> Result<Vec<IpAddr>, CleanError> {
    let key = record.key();
    let Some(lock) = store.try_lock(&key)? else {
        return Err(CleanError::Busy(key));
    };
    // Another ADD of the same id may have come since the caller looked.
    let same = |now: &Attachment| {
        now == record || (now.phase == Phase::Deleting && now.netns == record.netns)
    };
    if !store.read(&key)?.as_ref().is_some_and(same) {
        return Ok(Vec::new());
    }
    let leases = ipam::Store::at(data_dir, &record.network);
    let released = ipam::release(&leases, &key.container_id, &key.ifname)?;
    store.remove(&key)?;
    lock.retire();
    Ok(released)
}

/// Releases leases of `networks` that no record holds and that are older than the last boot (`boot`, seconds since
/// 1970): no pod outlives a boot. Younger ones are left to DEL and GC, because a pod may live without a record here
/// (another state directory, another plugin on the same network).
pub fn old_leases(
    networks: &[Leased],
    records: &[Attachment],
    boot: u64,
) -> (Vec<(String, IpAddr)>, Vec<ipam::Error>) {
    let (mut released, mut errors) = (Vec::new(), Vec::new());
    for network in networks {
        let store = ipam::Store::at(&network.data_dir, &network.name);
        let found = leases::of_network(&network.data_dir, &network.name).unwrap_or_else(|error| {
            errors.push(error);
            Vec::new()
        });
        let mut holders: Vec<_> = found
            .into_iter()
            .filter(|lease| lease.taken_at < boot)
            .filter(|lease| !records.iter().any(|r| r.container_id == lease.container_id))
            .map(|lease| (lease.container_id, lease.ifname))
            .collect();
        holders.sort();
        holders.dedup();
        for (container_id, ifname) in holders {
            // A lease of the container alone, as old host-local versions wrote it, goes under any name.
            let ifname = if ifname.is_empty() { "eth0" } else { &ifname };
            match ipam::release(&store, &container_id, ifname) {
                Ok(addresses) => {
                    released.extend(addresses.into_iter().map(|a| (network.name.clone(), a)));
                }
                Err(error) => errors.push(error),
            }
        }
    }
    (released, errors)
}

#[cfg(test)]
#[path = "clean_tests.rs"]
mod tests;
