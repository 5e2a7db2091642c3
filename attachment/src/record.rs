//! The attachment record: the one truth of what must exist for a pod's interface.
//!
//! ADD writes it before its first change, so that DEL, CHECK, GC and the daemon
//! can all work from the file alone. It must be readable by the next release and
//! the previous one: unknown fields are ignored, and only a newer [`VERSION`],
//! which means a changed meaning, is refused.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnetwork::IpNetwork;
use netlink::MacAddr;
use serde::{Deserialize, Serialize};

use crate::names;
use crate::strategy::Strategy;

mod layer3;
mod port;

pub use layer3::{Address, Neighbour, Route};
pub use port::{Datapath, Port, RoutedPort, SwitchPort};

/// Version of the record's meaning that this build writes, and the newest it reads.
pub const VERSION: u32 = 1;

/// How far an attachment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// ADD has started; anything below may or may not exist yet.
    Adding,
    /// ADD has answered; everything below must exist.
    Ready,
    /// DEL has started, or the pod is gone: nothing below may exist.
    Deleting,
}

/// The network namespace of the pod, as it was at ADD.
///
/// Paths are reused after a reboot or by a runtime's counter, so the inode tells
/// whether the path still names the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetnsRef {
    /// Path the runtime gave.
    pub path: PathBuf,
    /// Device number of the namespace file.
    pub dev: u64,
    /// Inode of the namespace file.
    pub inode: u64,
}

/// The pod an attachment belongs to, for people and for `iface-id`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pod {
    /// Kubernetes namespace.
    pub namespace: String,
    /// Pod name.
    pub name: String,
    /// Pod UID, empty if the runtime did not tell.
    #[serde(default)]
    pub uid: String,
}

/// Traffic of a pod address that is masqueraded when it leaves its network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Masquerade {
    /// The pod's address.
    pub address: IpAddr,
    /// Network within which the address stays as it is.
    pub network: IpNetwork,
}

/// Everything that must exist for one interface of one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Version of this record's meaning.
    pub version: u32,
    /// How far the attachment has come.
    pub phase: Phase,
    /// CNI container id.
    pub container_id: String,
    /// Name of the interface inside the pod.
    pub ifname: String,
    /// CNI network name.
    pub network: String,
    /// The pod's namespace.
    pub netns: NetnsRef,
    /// The pod, where the runtime named it.
    #[serde(default)]
    pub pod: Option<Pod>,
    /// Name in the root namespace and in OVSDB, see [`names::port_name`].
    pub port_name: String,
    /// Strategy and its details.
    pub port: Port,
    /// MAC of the pod's interface.
    pub mac: MacAddr,
    /// MTU in bytes of the pod's interface; 0 until attach has chosen it.
    #[serde(default)]
    pub mtu: u32,
    /// Addresses of the pod's interface.
    #[serde(default)]
    pub addresses: Vec<Address>,
    /// Routes inside the pod.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// Permanent neighbours inside the pod.
    #[serde(default)]
    pub neighbours: Vec<Neighbour>,
    /// Sysctls inside the pod, path below /proc/sys to value.
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
    /// Elements of the masquerade set that belong to this attachment.
    #[serde(default)]
    pub masquerade: Vec<Masquerade>,
    /// `runtimeConfig.portMappings` as given, kept for whoever serves them.
    #[serde(default)]
    pub port_mappings: Vec<serde_json::Value>,
    /// `runtimeConfig.bandwidth` as given, kept for whoever enforces it.
    #[serde(default)]
    pub bandwidth: Option<serde_json::Value>,
    /// When ADD began, seconds since the epoch.
    #[serde(default)]
    pub created: u64,
}

impl Attachment {
    /// A record in phase `adding` with neither addresses nor routes.
    pub fn new(
        container_id: &str,
        ifname: &str,
        network: &str,
        netns: NetnsRef,
        port: Port,
        mac: MacAddr,
    ) -> Self {
        let created = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        Self {
            version: VERSION,
            phase: Phase::Adding,
            container_id: container_id.to_owned(),
            ifname: ifname.to_owned(),
            network: network.to_owned(),
            netns,
            pod: None,
            port_name: names::port_name(container_id, ifname),
            port,
            mac,
            mtu: 0,
            addresses: Vec::new(),
            routes: Vec::new(),
            neighbours: Vec::new(),
            sysctls: BTreeMap::new(),
            masquerade: Vec::new(),
            port_mappings: Vec::new(),
            bandwidth: None,
            created,
        }
    }

    /// What identifies the attachment.
    pub fn key(&self) -> Key {
        Key {
            container_id: self.container_id.clone(),
            ifname: self.ifname.clone(),
        }
    }

    /// Shorthand for the strategy of [`Self::port`].
    pub fn strategy(&self) -> Strategy {
        self.port.strategy()
    }
}

/// Container id and interface name: what CNI identifies an attachment by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// CNI container id.
    pub container_id: String,
    /// Name of the interface inside the pod.
    pub ifname: String,
}

impl Key {
    /// The key of `ifname` in container `container_id`.
    pub fn new(container_id: &str, ifname: &str) -> Self {
        Self {
            container_id: container_id.to_owned(),
            ifname: ifname.to_owned(),
        }
    }

    /// See [`names::port_name`].
    pub fn port_name(&self) -> String {
        names::port_name(&self.container_id, &self.ifname)
    }

    /// See [`names::alias`].
    pub fn alias(&self) -> String {
        names::alias(&self.container_id, &self.ifname)
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.container_id, self.ifname)
    }
}
