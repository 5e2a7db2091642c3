//! What can go wrong with the store or an allocation.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// An operation failed. Unless it says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Every address of a set is taken.
    #[error("no IP addresses available in range set {set}: {ranges} of network {network}")]
    Exhausted {
        /// Number of the set in the configuration.
        set: usize,
        /// Its ranges.
        ranges: String,
        /// The network's name.
        network: String,
    },
    /// The interface has a lease already: ADD came twice without a DEL.
    #[error("{address} is already allocated to container {container_id} interface {ifname}")]
    Duplicate {
        /// The lease it holds.
        address: IpAddr,
        /// Container id.
        container_id: String,
        /// Interface name.
        ifname: String,
    },
    /// A requested address is another's.
    #[error(
        "requested address {address} is not available in range set {set} ({ranges}), {holder} holds it"
    )]
    Taken {
        /// The address asked for.
        address: IpAddr,
        /// Number of the set in the configuration.
        set: usize,
        /// Its ranges.
        ranges: String,
        /// Who has it.
        holder: String,
    },
    /// A requested address cannot be a pod's.
    #[error("requested address {address} is the {role} of its subnet")]
    Unusable {
        /// The address asked for.
        address: IpAddr,
        /// `gateway`, `network address` or `broadcast address`.
        role: &'static str,
    },
    /// Requested addresses that no set could serve: outside of all, or a second one of a set.
    #[error(
        "failed to allocate all requested addresses, left over: {}",
        list(addresses)
    )]
    Unfulfilled {
        /// The addresses left over.
        addresses: Vec<IpAddr>,
    },
    /// CHECK found no lease.
    #[error("no address of container {container_id} interface {ifname} in {}", path.display())]
    NotAllocated {
        /// Container id.
        container_id: String,
        /// Interface name.
        ifname: String,
        /// The network's directory.
        path: PathBuf,
    },
    /// A container id or interface name that a lease file cannot hold.
    #[error("{field} {value:?} is empty or has white space in it")]
    Identity {
        /// `container id` or `interface name`.
        field: &'static str,
        /// The value.
        value: String,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

fn list(addresses: &[IpAddr]) -> String {
    addresses
        .iter()
        .map(IpAddr::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}
