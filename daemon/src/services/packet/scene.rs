//! Which devices get which programs, and what those know of the node: pure, from what the kernel
//! shows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use abi::{Address, DeviceAddresses, Node, Pod};
use attachment::names::is_port_name;
use dataplane::devices::{Device, Role};
use dataplane::node::{Scene, bits};
use ipnetwork::IpNetwork;

use crate::services::node::Network;
use crate::services::object::unusable;

/// Which devices face the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uplinks {
    /// Those with a default route.
    Default,
    /// Those with these names.
    Named(BTreeSet<String>),
}

/// The devices that are to have programs.
pub fn roles(
    network: &Network,
    uplinks: &Uplinks,
    bridges: &BTreeSet<String>,
) -> BTreeMap<Device, Role> {
    let routed = routed(network);
    let mut roles = BTreeMap::new();
    for link in &network.links {
        let role = if routed.contains(&link.index) {
            Role::Pods
        } else if bridges.contains(&link.name) {
            let is_gateway = network.addresses.iter().any(|(dev, _)| *dev == link.index);
            if !is_gateway {
                continue;
            }
            Role::Pods
        } else {
            let is_uplink = match uplinks {
                Uplinks::Default => network.uplinks.contains(&link.index),
                Uplinks::Named(names) => names.contains(&link.name),
            };
            // Without a MAC address there is no Ethernet header, which the programs begin with.
            if !is_uplink || link.mac.is_none() || link.name == "lo" {
                continue;
            }
            Role::Outside
        };
        let device = Device {
            index: link.index,
            name: link.name.clone(),
        };
        roles.insert(device, role);
    }
    roles
}

/// Host ends of routed ports: they alone have neighbours that somebody has set.
fn routed(network: &Network) -> BTreeSet<u32> {
    let set: BTreeSet<u32> = network.neighbours.iter().map(|it| it.dev).collect();
    network
        .links
        .iter()
        .filter(|link| is_port_name(&link.name) && set.contains(&link.index))
        .map(|link| link.index)
        .collect()
}

/// What the programs are to know. `ports` are the first of those for the node's address and how
/// many, `refuses` whether there are rules for what is to be refused.
pub fn scene(network: &Network, cluster: &[IpNetwork], ports: (u16, u16), refuses: bool) -> Scene {
    let routed = routed(network);
    let mut devices: BTreeMap<u32, DeviceAddresses> = BTreeMap::new();
    let mut node = DeviceAddresses::default();
    // Those of devices with a default route first: they are the node's name outside.
    let mut addresses: Vec<&(u32, IpAddr)> = network
        .addresses
        .iter()
        .filter(|(_, ip)| unusable(*ip).is_none())
        .collect();
    addresses.sort_by_key(|(device, _)| !network.uplinks.contains(device));
    for (device, ip) in addresses {
        take(&mut node, *ip);
        take(devices.entry(*device).or_default(), *ip);
    }
    let mut pods = BTreeMap::new();
    for neighbour in &network.neighbours {
        let link = network.links.iter().find(|it| it.index == neighbour.dev);
        let (Some(link), Some(mac)) = (link, neighbour.mac) else {
            continue;
        };
        let Some(host_mac) = link.mac.filter(|_| routed.contains(&link.index)) else {
            continue;
        };
        if unusable(neighbour.address).is_some() {
            continue;
        }
        let pod = Pod {
            device: link.index,
            mac: mac.octets(),
            host_mac: host_mac.octets(),
        };
        pods.insert(Address::from(neighbour.address), pod);
    }
    Scene {
        node: Node {
            addresses: node,
            first_port: ports.0,
            port_count: ports.1,
            flags: if refuses { Node::REFUSES } else { 0 },
        },
        devices,
        pods,
        cluster: cluster
            .iter()
            .map(|network| {
                let first = Address::from(network.network());
                ((first, bits(network.network(), network.prefix())), ())
            })
            .collect(),
    }
}

/// The first of each family stays.
fn take(addresses: &mut DeviceAddresses, ip: IpAddr) {
    let slot = if ip.is_ipv4() {
        &mut addresses.v4
    } else {
        &mut addresses.v6
    };
    if *slot == Address::default() {
        *slot = ip.into();
    }
}
