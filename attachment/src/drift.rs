//! Ways in which what is there differs from the record. Their texts are what CHECK
//! answers and what the daemon logs.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use netlink::MacAddr;

use crate::record::{Neighbour, Route};

/// One difference between a record and what is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Drift {
    /// Nothing can be said about the pod's namespace.
    #[error("the pod's namespace cannot be looked at: {0}")]
    PodUnknown(String),
    /// The pod's namespace is gone.
    #[error("the pod's namespace is gone")]
    PodGone,
    /// The path names another namespace than at ADD.
    #[error("the namespace path names another namespace than at ADD")]
    PodReplaced,
    /// OVSDB does not answer.
    #[error("OVSDB does not answer: {0}")]
    SwitchAway(String),
    /// vswitchd is dead.
    #[error("ovs-vswitchd is not running")]
    VswitchdDead,
    /// No flows are installed until this is cleared.
    #[error("other_config:flow-restore-wait is set: ovs-vswitchd installs no flows")]
    FlowRestoreWait,
    /// The bridge's row is gone.
    #[error("bridge {0} is missing")]
    BridgeMissing(String),
    /// The port's row is gone.
    #[error("port {0} is missing in OVSDB")]
    RowMissing(String),
    /// A port of that name belongs to somebody else.
    #[error("port {0} in OVSDB belongs to somebody else")]
    RowForeign(String),
    /// vswitchd could not make the port.
    #[error("ovs-vswitchd says of port {port}: {error}")]
    PortError {
        /// Port.
        port: String,
        /// vswitchd's words.
        error: String,
    },
    /// A column of our row is empty.
    #[error("port {port} has no {column} in OVSDB, expected {expected}")]
    ColumnEmpty {
        /// Port.
        port: String,
        /// Column.
        column: String,
        /// The record's value.
        expected: String,
    },
    /// NO_FLOOD is not set.
    #[error("port {0} floods although NO_FLOOD was asked for")]
    Floods(String),
    /// A device of the pod is missing.
    #[error("{0} is missing in the pod")]
    PodLinkMissing(String),
    /// A device of the pod has the wrong kind, or lies over the wrong device.
    #[error("{name} in the pod is {found}, expected {expected}")]
    PodLinkWrong {
        /// Device.
        name: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// A device of the pod has no carrier: nobody holds the tap any more.
    #[error("{0} in the pod is dead (no carrier)")]
    PodLinkDead(String),
    /// A device of the pod is down.
    #[error("{0} in the pod is down")]
    PodLinkDown(String),
    /// A port that belongs into the pod is in the root namespace.
    #[error("port {0} is in the root namespace instead of the pod")]
    PortInRoot(String),
    /// The port is in its place and the bridge does not forward to it.
    #[error("port {0} is in the pod, but ovs-vswitchd has forgotten it")]
    PortForgotten(String),
    /// A MAC differs.
    #[error("{name} has MAC {}, expected {expected}", .found.map_or_else(|| "none".to_owned(), |m| m.to_string()))]
    Mac {
        /// Device.
        name: String,
        /// MAC it has.
        found: Option<MacAddr>,
        /// The record's.
        expected: MacAddr,
    },
    /// An MTU differs.
    #[error("{name} has MTU {found}, expected {expected}")]
    Mtu {
        /// Device.
        name: String,
        /// MTU it has.
        found: u32,
        /// The record's.
        expected: u32,
    },
    /// An address is missing in the pod.
    #[error("address {0} is missing in the pod")]
    AddressMissing(IpNetwork),
    /// A route is missing in the pod.
    #[error("route to {}{} is missing in the pod", .0.dst, .0.gateway.map_or_else(String::new, |g| format!(" via {g}")))]
    RouteMissing(Route),
    /// A permanent neighbour is missing in the pod.
    #[error("neighbour {} at {} is missing in the pod", .0.address, .0.mac)]
    NeighbourMissing(Neighbour),
    /// A sysctl differs.
    #[error("sysctl {key} is {}, expected {expected}", .found.as_deref().unwrap_or("unreadable"))]
    Sysctl {
        /// Path below /proc/sys.
        key: String,
        /// Its value, if it can be read.
        found: Option<String>,
        /// The record's.
        expected: String,
    },
    /// The host end is missing.
    #[error("{0} is missing in the root namespace")]
    HostLinkMissing(String),
    /// A device of that name belongs to somebody else.
    #[error("{0} in the root namespace belongs to somebody else")]
    HostLinkForeign(String),
    /// The host end is down.
    #[error("{0} in the root namespace is down")]
    HostLinkDown(String),
    /// The host end does not carry our mark.
    #[error("{0} in the root namespace has lost its alias")]
    HostAlias(String),
    /// The host route to a pod address is missing.
    #[error("host route to {0} is missing")]
    HostRouteMissing(IpAddr),
    /// A gateway address of the bridge is missing.
    #[error("gateway address {address} is missing on {bridge}")]
    GatewayMissing {
        /// Bridge.
        bridge: String,
        /// Address.
        address: IpNetwork,
    },
}
