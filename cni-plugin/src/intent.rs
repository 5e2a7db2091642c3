//! What an ADD intends, decided without touching anything: the attachment record
//! from the configuration and the addresses that IPAM gave.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use attachment::record::{Address, Attachment, Masquerade, NetnsRef, Port, Route};
use ipnetwork::IpNetwork;
use netlink::MacAddr;
use sha2::{Digest, Sha256};

use crate::config::{Config, Gateway};
use crate::error::Error;
use crate::request::Request;
use crate::result::CniResult;

/// The smallest MTU at which the kernel keeps IPv6 on an interface, in bytes.
const MIN_IPV6_MTU: u32 = 1280;

/// The record of what is to be attached. `allocated` is what IPAM answered, or for
/// a chained plugin the part of `prevResult` that is meant for this interface.
pub fn record(
    request: &Request,
    config: &Config,
    netns: NetnsRef,
    port: Port,
    allocated: &CniResult,
) -> Result<Attachment, Error> {
    let mac = config.mac.unwrap_or_else(|| derived_mac(request));
    let (id, ifname) = (&request.container_id, &request.ifname);
    let mut record = Attachment::new(id, ifname, &request.network, netns, port, mac);
    record.pod = config.pod.clone();
    record.mtu = config.mtu.unwrap_or(0);
    record.port_mappings = config.runtime.port_mappings.clone();
    record.bandwidth = config.runtime.bandwidth.clone();
    record.addresses = allocated.ips.iter().map(|ip| address(ip, config)).collect();
    record.routes = routes(&record.addresses, config, &allocated.routes);
    let gateways = match config.gateway {
        Gateway::Elsewhere => Vec::new(),
        Gateway::Bridge | Gateway::Default => gateways(&record.addresses),
    };
    if let Some(switch) = record.port.switch_mut() {
        switch.gateways = gateways;
    } else if record.addresses.is_empty() {
        return Err(Error::Config(
            "a routed port needs an address, and \"prevResult\" has none for it".to_owned(),
        ));
    }
    if config.ip_masq {
        record.masquerade = record.addresses.iter().map(masquerade).collect();
    }
    let has_ipv6 = record.addresses.iter().any(|one| one.address.is_ipv6());
    match config.mtu {
        Some(mtu) if has_ipv6 && mtu < MIN_IPV6_MTU => Err(Error::Config(format!(
            "invalid value {mtu} for \"mtu\": IPv6 needs {MIN_IPV6_MTU} at least"
        ))),
        _ => Ok(record),
    }
}

/// A MAC that stays the same for an attachment, so that neighbours who knew it
/// keep knowing it when the attachment is made again.
fn derived_mac(request: &Request) -> MacAddr {
    let mut hash = Sha256::new();
    for part in [&request.container_id, "/", &request.ifname, "/pod"] {
        hash.update(part.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, e, f, ..] = digest;
    MacAddr::locally_administered([a, b, c, d, e, f])
}

fn address(ip: &crate::result::Address, config: &Config) -> Address {
    let gateway = match config.gateway {
        Gateway::Elsewhere => ip.gateway,
        Gateway::Bridge | Gateway::Default => ip.gateway.or_else(|| first_host(ip.address)),
    };
    Address {
        address: ip.address,
        gateway,
    }
}

/// The first address after that of the subnet: where a gateway is by custom.
fn first_host(subnet: IpNetwork) -> Option<IpAddr> {
    Some(match subnet.network() {
        IpAddr::V4(network) => Ipv4Addr::from(u32::from(network).checked_add(1)?).into(),
        IpAddr::V6(network) => Ipv6Addr::from(u128::from(network).checked_add(1)?).into(),
    })
}

/// The gateway addresses with the prefix lengths of their subnets, each once.
fn gateways(addresses: &[Address]) -> Vec<IpNetwork> {
    let mut found: Vec<IpNetwork> = Vec::new();
    for one in addresses {
        let gateway = one
            .gateway
            .and_then(|ip| IpNetwork::new(ip, one.address.prefix()).ok());
        found.extend(gateway.filter(|gateway| !found.contains(gateway)));
    }
    found
}

/// The routes asked for, through the gateway of their family where they name none,
/// and with `isDefaultGateway` a default route for each family that has a gateway.
fn routes(addresses: &[Address], config: &Config, asked: &[crate::result::Route]) -> Vec<Route> {
    let gateway_of = |ipv6: bool| {
        let mut gateways = addresses.iter().filter_map(|one| one.gateway);
        gateways.find(|gateway| gateway.is_ipv6() == ipv6)
    };
    let mut routes: Vec<Route> = asked
        .iter()
        .map(|route| Route {
            mtu: route.mtu,
            advmss: route.advmss,
            priority: route.priority,
            table: route.table,
            scope: route.scope,
            ..Route::via(
                route.dst,
                route.gw.or_else(|| gateway_of(route.dst.is_ipv6())),
            )
        })
        .collect();
    if config.gateway == Gateway::Default {
        for everything in [any(false), any(true)] {
            let ipv6 = everything.is_ipv6();
            let has_default = routes.iter().any(|route| route.dst == everything);
            if let Some(gateway) = gateway_of(ipv6).filter(|_| !has_default) {
                routes.push(Route::via(everything, Some(gateway)));
            }
        }
    }
    routes
}

/// `0.0.0.0/0` or `::/0`.
fn any(ipv6: bool) -> IpNetwork {
    let address = match ipv6 {
        true => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        false => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    IpNetwork::new(address, 0).expect("every family has a prefix of length 0")
}

fn masquerade(address: &Address) -> Masquerade {
    let network = address.address;
    Masquerade {
        address: network.ip(),
        network: IpNetwork::new(network.network(), network.prefix()).unwrap_or(network),
    }
}

#[cfg(test)]
mod tests;
