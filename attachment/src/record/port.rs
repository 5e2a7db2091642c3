//! The part of a record that says how the pod is attached.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnetwork::IpNetwork;
use netlink::MacAddr;
use serde::{Deserialize, Serialize};

use crate::strategy::Strategy;

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
