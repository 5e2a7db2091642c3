//! What is known of this node.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use netlink::{Link, Neighbour, Netlink};

use super::object::{Node, unusable};

/// kube-proxy's IPVS mode puts every ClusterIP on it: they are no addresses of the node.
const IPVS_DEVICE: &str = "kube-ipvs0";

/// Which of the node's addresses take NodePorts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodePortAddresses {
    /// The node's primary ones: of its object, or else those of the devices with a default route.
    Primary,
    /// All within these networks.
    Within(Vec<IpNetwork>),
}

/// This node, as far as Services are concerned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Here {
    /// Its name in the API.
    pub name: String,
    /// Its zone.
    pub zone: Option<String>,
    /// All its addresses that others could reach.
    pub addresses: BTreeSet<IpAddr>,
    /// Those that take NodePorts.
    pub node_port_addresses: BTreeSet<IpAddr>,
}

/// A network namespace, as far as Services are concerned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Its devices.
    pub links: Vec<Link>,
    /// Their addresses, by the index of the device.
    pub addresses: Vec<(u32, IpAddr)>,
    /// Neighbours that somebody has set.
    pub neighbours: Vec<Neighbour>,
    /// Devices with a default route.
    pub uplinks: BTreeSet<u32>,
}

impl Network {
    /// Asks the kernel.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn read(netlink: &Netlink) -> netlink::Result<Self> {
        let routes = netlink.routes(None).await?;
        let addresses = netlink.all_addresses().await?;
        let neighbours = netlink.all_neighbours().await?;
        Ok(Self {
            links: netlink.links().await?,
            addresses: addresses
                .into_iter()
                .filter(|(_, address)| !address.tentative && !address.dad_failed)
                .map(|(device, address)| (device, address.address.ip()))
                .collect(),
            neighbours: neighbours
                .into_iter()
                .filter(|neighbour| neighbour.permanent)
                .collect(),
            uplinks: routes
                .iter()
                .filter(|route| route.dst.prefix() == 0)
                .map(|route| route.dev)
                .collect(),
        })
    }
}

/// The addresses of a network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addresses {
    /// All that others could reach.
    pub all: BTreeSet<IpAddr>,
    /// Those of devices with a default route.
    pub primary: BTreeSet<IpAddr>,
}

impl Addresses {
    /// Those of a namespace.
    pub fn of(network: &Network) -> Self {
        let mut found = Self::default();
        let strange = network
            .links
            .iter()
            .filter(|link| link.name == IPVS_DEVICE)
            .map(|link| link.index);
        let strange: BTreeSet<u32> = strange.collect();
        for (device, ip) in &network.addresses {
            if strange.contains(device) || unusable(*ip).is_some() {
                continue;
            }
            found.all.insert(*ip);
            if network.uplinks.contains(device) {
                found.primary.insert(*ip);
            }
        }
        found
    }
}

impl Here {
    /// From the kernel's addresses and the node's object, where there is one.
    pub fn of(
        name: &str,
        addresses: &Addresses,
        object: Option<&Node>,
        which: &NodePortAddresses,
    ) -> Self {
        let told: BTreeSet<IpAddr> = object
            .map(|node| node.addresses.iter().copied().collect())
            .unwrap_or_default();
        let here: BTreeSet<IpAddr> = told.intersection(&addresses.all).copied().collect();
        let node_port_addresses = match which {
            NodePortAddresses::Primary if here.is_empty() => addresses.primary.clone(),
            NodePortAddresses::Primary => here,
            NodePortAddresses::Within(networks) => addresses
                .all
                .iter()
                .filter(|ip| networks.iter().any(|network| network.contains(**ip)))
                .copied()
                .collect(),
        };
        Self {
            name: name.to_owned(),
            zone: object.and_then(|node| node.zone.clone()),
            addresses: addresses.all.clone(),
            node_port_addresses,
        }
    }
}
