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

/// A routed port: a veth without a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutedPort {
    /// MAC of the host end, which the pod's permanent neighbours name.
    pub host_mac: MacAddr,
}

/// What kind of datapath a bridge has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Datapath {
    /// `datapath_type=system`: openvswitch.ko.
    Kernel,
    /// `datapath_type=netdev`: internal ports are taps held by vswitchd.
    Userspace,
}

impl From<ovs::Datapath> for Datapath {
    fn from(datapath: ovs::Datapath) -> Self {
        match datapath {
            ovs::Datapath::Kernel => Self::Kernel,
            ovs::Datapath::Userspace => Self::Userspace,
        }
    }
}

impl From<Datapath> for ovs::Datapath {
    fn from(datapath: Datapath) -> Self {
        match datapath {
            Datapath::Kernel => Self::Kernel,
            Datapath::Userspace => Self::Userspace,
        }
    }
}

/// A port of an Open vSwitch bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchPort {
    /// OVSDB socket.
    pub socket: PathBuf,
    /// Bridge the port is plugged into.
    pub bridge: String,
    /// The bridge's datapath at ADD, needed to make the bridge anew.
    pub datapath: Datapath,
    /// OpenFlow port number once known; asked for again when the port is re-created.
    #[serde(default)]
    pub ofport: Option<u16>,
    /// Number the configuration asked for, which `ofport` must then equal.
    #[serde(default)]
    pub ofport_request: Option<u16>,
    /// Access VLAN, 1–4094.
    #[serde(default)]
    pub vlan: Option<u16>,
    /// Trunked VLANs.
    #[serde(default)]
    pub trunks: Vec<u16>,
    /// External ids of the interface row, ours and those of the configuration.
    #[serde(default)]
    pub external_ids: BTreeMap<String, String>,
    /// Whether OpenFlow's NO_FLOOD bit is set on the port.
    #[serde(default)]
    pub no_flood: bool,
    /// Gateway addresses of the bridge's own port (`isGateway`), restored with it.
    #[serde(default)]
    pub gateways: Vec<IpNetwork>,
}

impl SwitchPort {
    /// A port of `bridge` with nothing special asked for.
    pub fn new(
        socket: impl Into<PathBuf>,
        bridge: impl Into<String>,
        datapath: impl Into<Datapath>,
    ) -> Self {
        Self {
            socket: socket.into(),
            bridge: bridge.into(),
            datapath: datapath.into(),
            ofport: None,
            ofport_request: None,
            vlan: None,
            trunks: Vec::new(),
            external_ids: BTreeMap::new(),
            no_flood: false,
            gateways: Vec::new(),
        }
    }
}

/// The strategy with the details that belong to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "strategy", rename_all = "lowercase")]
pub enum Port {
    /// veth to the root namespace, host routes, no switch.
    Routed(RoutedPort),
    /// veth whose host end is a port of the switch.
    Veth(SwitchPort),
    /// Internal port moved into the pod and renamed.
    Rename(SwitchPort),
    /// Internal port moved into the pod, slave of a bond that carries the pod's name.
    Bond(SwitchPort),
    /// Internal port left in the root namespace, a passthru macvlan over it in the pod.
    Macvlan(SwitchPort),
}

impl Port {
    /// A port of `switch` made by `strategy`; `None` for the strategy without a switch.
    pub fn on_switch(strategy: Strategy, switch: SwitchPort) -> Option<Self> {
        match strategy {
            Strategy::Routed => None,
            Strategy::Veth => Some(Self::Veth(switch)),
            Strategy::Rename => Some(Self::Rename(switch)),
            Strategy::Bond => Some(Self::Bond(switch)),
            Strategy::Macvlan => Some(Self::Macvlan(switch)),
        }
    }

    /// The strategy alone.
    pub fn strategy(&self) -> Strategy {
        match self {
            Self::Routed(_) => Strategy::Routed,
            Self::Veth(_) => Strategy::Veth,
            Self::Rename(_) => Strategy::Rename,
            Self::Bond(_) => Strategy::Bond,
            Self::Macvlan(_) => Strategy::Macvlan,
        }
    }

    /// The switch side, if there is one.
    pub fn switch(&self) -> Option<&SwitchPort> {
        match self {
            Self::Routed(_) => None,
            Self::Veth(s) | Self::Rename(s) | Self::Bond(s) | Self::Macvlan(s) => Some(s),
        }
    }

    /// The switch side, to be changed.
    pub fn switch_mut(&mut self) -> Option<&mut SwitchPort> {
        match self {
            Self::Routed(_) => None,
            Self::Veth(s) | Self::Rename(s) | Self::Bond(s) | Self::Macvlan(s) => Some(s),
        }
    }
}

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
