//! The part of a record that says how the pod's interface is configured.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use netlink::MacAddr;
use serde::{Deserialize, Serialize};

/// An address of the pod's interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Address with the prefix length it is configured with.
    pub address: IpNetwork,
    /// The gateway IPAM named for it.
    #[serde(default)]
    pub gateway: Option<IpAddr>,
}

/// A route inside the pod, always over the attachment's own interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Destination.
    pub dst: IpNetwork,
    /// Next hop; absent for a link route.
    #[serde(default)]
    pub gateway: Option<IpAddr>,
    /// Whether the next hop is reached without a link route to it.
    #[serde(default)]
    pub onlink: bool,
    /// Path MTU in bytes.
    #[serde(default)]
    pub mtu: Option<u32>,
    /// Advertised MSS in bytes.
    #[serde(default)]
    pub advmss: Option<u32>,
    /// Metric.
    #[serde(default)]
    pub priority: Option<u32>,
    /// Routing table.
    #[serde(default)]
    pub table: Option<u32>,
    /// rtnetlink's scope number.
    #[serde(default)]
    pub scope: Option<u8>,
}

impl Route {
    /// A plain route to `dst` through `gateway`.
    pub fn via(dst: IpNetwork, gateway: Option<IpAddr>) -> Self {
        Self {
            dst,
            gateway,
            onlink: false,
            mtu: None,
            advmss: None,
            priority: None,
            table: None,
            scope: None,
        }
    }
}

/// A permanent neighbour entry inside the pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Address on the link.
    pub address: IpAddr,
    /// Its MAC.
    pub mac: MacAddr,
}
