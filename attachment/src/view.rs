//! What is there now, as plain data: the input of the pure half of this crate.
//!
//! `observe` fills it from the kernel and from OVSDB, tests write it by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnetwork::IpNetwork;
use netlink::MacAddr;

use crate::flood::Flood;
use crate::memory::Memory;
use crate::record::{Datapath, Key, Neighbour, Route};

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkView {
    /// Index within its namespace.
    pub index: u32,
    /// Name.
    pub name: String,
    /// rtnetlink's kind (`veth`, `tun`, `openvswitch`, …), absent for devices without.
    pub kind: Option<String>,
    /// MAC, absent for devices without.
    pub mac: Option<MacAddr>,
    /// MTU in bytes.
    pub mtu: u32,
    /// Administratively up.
    pub up: bool,
    /// Has carrier. A tap without carrier is held by no process.
    pub carrier: bool,
    /// Index of the bond or bridge it is enslaved to.
    pub master: Option<u32>,
    /// Index of the device it lies over, in [`Self::lower_elsewhere`]'s namespace.
    pub lower: Option<u32>,
    /// Whether the lower device (or veth peer) is in another namespace.
    pub lower_elsewhere: bool,
    /// IFLA_IFALIAS, where ownership is marked.
    pub alias: Option<String>,
}

impl LinkView {
    /// Whether the device is of `kind`.
    pub fn is_kind(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }

    /// Whether the device can be a port that vswitchd made (a tap, or an internal
    /// port of the kernel datapath).
    pub fn is_internal_port(&self) -> bool {
        self.is_kind("tun") || self.is_kind("openvswitch")
    }

    /// Whether the device is a tap whose holder died. One that is down says nothing
    /// about its carrier.
    pub fn is_dead_tap(&self) -> bool {
        self.is_kind("tun") && self.up && !self.carrier
    }
}

/// The inside of a pod's namespace, as far as an attachment is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodState {
    /// All links.
    pub links: Vec<LinkView>,
    /// Addresses of the attachment's interface. These and the following are not looked
    /// at where the interface is a dead tap.
    pub addresses: Vec<IpNetwork>,
    /// Routes over the attachment's interface.
    pub routes: Vec<Route>,
    /// Permanent neighbours of the attachment's interface.
    pub neighbours: Vec<Neighbour>,
    /// Present values of the record's sysctls; a missing one could not be read.
    pub sysctls: BTreeMap<String, String>,
}

impl PodState {
    /// The link called `name`.
    pub fn link(&self, name: &str) -> Option<&LinkView> {
        self.links.iter().find(|link| link.name == name)
    }
}

/// Whether and how the pod's namespace is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodView {
    /// Nothing can be said: the path's directory is not visible here, it needs
    /// rights we lack, or it is below /proc, where a dead process proves nothing.
    Unknown(String),
    /// The path is gone.
    Gone,
    /// The path names another namespace now.
    Replaced,
    /// The namespace of the record.
    Alive(PodState),
}

impl PodView {
    /// The inside, if the namespace is alive.
    pub fn state(&self) -> Option<&PodState> {
        match self {
            Self::Alive(state) => Some(state),
            _ => None,
        }
    }
}

/// A port of the switch with its one interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortView {
    /// Bridge the port belongs to.
    pub bridge: String,
    /// `Interface.type`: `internal`, or empty for a system device.
    pub interface_type: String,
    /// OpenFlow port number; −1 if vswitchd could not open the device.
    pub ofport: Option<i64>,
    /// Index of the device in vswitchd's namespace, 0 if it was moved away.
    pub ifindex: Option<i64>,
    /// What vswitchd said against it.
    pub error: Option<String>,
    /// Access VLAN.
    pub tag: Option<u16>,
    /// Trunked VLANs.
    pub trunks: Vec<u16>,
    /// `Interface.mac`.
    pub mac: Option<String>,
    /// `Interface.mtu_request`.
    pub mtu_request: Option<i64>,
    /// `Interface.ofport_request`.
    pub ofport_request: Option<i64>,
    /// `Interface.external_ids`.
    pub external_ids: BTreeMap<String, String>,
    /// The row of the interface.
    pub row: Option<ovs::Uuid>,
    /// OpenFlow's NO_FLOOD bit, where it was asked for.
    pub no_flood: Option<Flood>,
    /// Whether the bridge was asked for the port over OpenFlow, and has none of that name.
    pub forgotten: bool,
}

/// A switch that answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SwitchState {
    /// Whether vswitchd lives.
    pub vswitchd_alive: bool,
    /// `other_config:flow-restore-wait`: while set, no flow is installed and all
    /// traffic may stand still.
    pub flow_restore_wait: bool,
    /// Bridges and their datapaths; `None` for a type that is neither.
    pub bridges: BTreeMap<String, Option<Datapath>>,
    /// Ports by name.
    pub ports: BTreeMap<String, PortView>,
}

/// An OVSDB server, by its socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchView {
    /// It does not answer, for this reason.
    Away(String),
    /// It answers.
    Present(SwitchState),
}

impl SwitchView {
    /// The state, if the server answers.
    pub fn state(&self) -> Option<&SwitchState> {
        match self {
            Self::Away(_) => None,
            Self::Present(state) => Some(state),
        }
    }
}

/// The root namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RootView {
    /// Links by name.
    pub links: BTreeMap<String, LinkView>,
    /// Addresses with a host route, and the index of the device it goes over.
    pub host_routes: BTreeSet<(IpAddr, u32)>,
    /// Addresses of bridges' own ports, by device name.
    pub bridge_addresses: BTreeMap<String, BTreeSet<IpNetwork>>,
}

/// Everything a plan is made from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// When, on a monotonic clock whose zero is the caller's.
    pub now: Duration,
    /// Wall clock, seconds since the epoch, to judge a record's age.
    pub wall: u64,
    /// State directory whose rows are ours to clean up.
    pub state_dir: PathBuf,
    /// Whether the records handed to the plan are all there are and all readable:
    /// only then is a row without record an orphan.
    pub complete: bool,
    /// The root namespace.
    pub root: RootView,
    /// Switches by socket.
    pub switches: BTreeMap<PathBuf, SwitchView>,
    /// Pods by attachment.
    pub pods: BTreeMap<Key, PodView>,
    /// What earlier looks left behind.
    pub memory: Memory,
}
