//! The leases of a network with their age, for the doctor and for the clean-up at start.

use std::net::IpAddr;
use std::path::Path;
use std::time::UNIX_EPOCH;

use ipam::{Holder, Store};

/// A lease with a holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgedLease {
    /// The address.
    pub address: IpAddr,
    /// The container that holds it.
    pub container_id: String,
    /// The interface that holds it; empty in files of old host-local versions.
    pub ifname: String,
    /// When its file was written, seconds since 1970.
    pub taken_at: u64,
}

/// The leases of a network. Corrupt files are left to GC, which knows what to do with them.
pub fn of_network(ipam_dir: &Path, network: &str) -> Result<Vec<AgedLease>, ipam::Error> {
    let store = Store::at(ipam_dir, network);
    let mut leases = Vec::new();
    for lease in ipam::list(&store)? {
        let (container_id, ifname) = match lease.holder {
            Holder::Interface {
                container_id,
                ifname,
            } => (container_id, ifname),
            Holder::Container { container_id } => (container_id, String::new()),
            Holder::Corrupt { .. } => continue,
        };
        // A file that has just gone away was released: not old.
        let taken_at = std::fs::metadata(store.lease_path(lease.address))
            .and_then(|file| file.modified())
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map_or(u64::MAX, |since| since.as_secs());
        leases.push(AgedLease {
            address: lease.address,
            container_id,
            ifname,
            taken_at,
        });
    }
    Ok(leases)
}
