//! What can go wrong while an attachment is made, taken down or repaired.

use std::path::PathBuf;
use std::time::Duration;

use crate::record::Key;
use crate::store::StoreError;

/// Result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of an attachment.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused.
    #[error(transparent)]
    Netlink(#[from] netlink::Error),
    /// The switch or its database refused.
    #[error(transparent)]
    Ovs(#[from] ovs::Error),
    /// The bridge's OpenFlow socket refused.
    #[error(transparent)]
    OpenFlow(#[from] ovs::openflow::Error),
    /// The records on disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The path names another namespace than the record.
    #[error("network namespace {} is not the one of attachment {key} any more", path.display())]
    NetnsReplaced {
        /// The attachment.
        key: Key,
        /// Path of the namespace.
        path: PathBuf,
    },
    /// The pod's namespace is the root namespace.
    #[error("network namespace {} is the host's own", path.display())]
    HostNetns {
        /// Path the runtime gave.
        path: PathBuf,
    },
    /// ADD for something that is attached already.
    #[error("attachment {key} exists already")]
    Exists {
        /// The attachment.
        key: Key,
    },
    /// The pod has an interface of that name.
    #[error("interface {ifname} exists already in network namespace {}", path.display())]
    PodLinkExists {
        /// Interface.
        ifname: String,
        /// Namespace of the pod.
        path: PathBuf,
    },
    /// A device of our name in the root namespace is somebody else's.
    #[error("interface {name} in the root namespace belongs to somebody else ({found})")]
    LinkTaken {
        /// Name.
        name: String,
        /// What it is.
        found: String,
    },
    /// A port of our name on the switch is somebody else's.
    #[error("port {name} of bridge {bridge} belongs to somebody else")]
    PortTaken {
        /// Name.
        name: String,
        /// Bridge that has it.
        bridge: String,
    },
    /// The bridge does not exist.
    #[error("bridge {bridge} does not exist on the switch at {}", socket.display())]
    NoBridge {
        /// Bridge.
        bridge: String,
        /// OVSDB socket.
        socket: PathBuf,
    },
    /// The bridge has another datapath than the record says.
    #[error("bridge {bridge} has a {found} datapath, the record says {expected}")]
    OtherDatapath {
        /// Bridge.
        bridge: String,
        /// Datapath it has.
        found: ovs::Datapath,
        /// Datapath of the record.
        expected: ovs::Datapath,
    },
    /// vswitchd accepted a port but its device did not appear.
    #[error("device {name} did not appear within {waited:?} after ovs-vswitchd accepted the port")]
    NoDevice {
        /// Device.
        name: String,
        /// How long was waited.
        waited: Duration,
    },
    /// A device that a repair needs is not there (any more).
    #[error("{name} is missing {place}")]
    Missing {
        /// Device.
        name: String,
        /// Where it was looked for.
        place: &'static str,
    },
    /// A repair was planned for an attachment that its strategy does not allow.
    #[error("action {action} does not apply to attachment {key}")]
    NotApplicable {
        /// Verb of the action.
        action: &'static str,
        /// The attachment.
        key: Key,
    },
    /// An error, and what could not be undone after it.
    #[error("{cause}; and it could not be undone: {undo}")]
    NotUndone {
        /// What went wrong first.
        cause: Box<Error>,
        /// What could not be undone.
        undo: Box<Error>,
    },
}

impl Error {
    /// Whether the same call may well succeed in a moment: the switch is away or
    /// busy. CNI's code 11.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Ovs(error) => error.is_retryable(),
            Self::OpenFlow(_) | Self::NoDevice { .. } => true,
            Self::Store(StoreError::Locked { .. }) => true,
            Self::NotUndone { cause, .. } => cause.is_retryable(),
            _ => false,
        }
    }
}
