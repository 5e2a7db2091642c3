//! What is known of this node.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use netlink::Netlink;

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

/// The addresses of a network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addresses {
    /// All that others could reach.
    pub all: BTreeSet<IpAddr>,
    /// Those of devices with a default route.
    pub primary: BTreeSet<IpAddr>,
}

impl Addresses {
    /// Asks the kernel.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn read(netlink: &Netlink) -> netlink::Result<Self> {
        let routes = netlink.routes(None).await?;
        let uplinks: BTreeSet<u32> = routes
            .iter()
            .filter(|route| route.dst.prefix() == 0)
            .map(|route| route.dev)
            .collect();
        let mut found = Self::default();
        for link in netlink.links().await? {
            if link.name == IPVS_DEVICE {
                continue;
            }
            for address in netlink.addresses(link.index).await? {
                let ip = address.address.ip();
                if unusable(ip).is_some() {
                    continue;
                }
                found.all.insert(ip);
                if uplinks.contains(&link.index) {
                    found.primary.insert(ip);
                }
            }
        }
        Ok(found)
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
