//! `routed`: a veth to the root namespace and host routes; no switch, no bridge, no
//! proxy ARP, no broadcast between pods.
//!
//! The pod reaches everything through one link-local next hop that is the same in
//! every pod, at the MAC of the host end, as a permanent neighbour: nobody ever asks
//! for it and nobody has to answer. The host likewise knows its pods' MACs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;
use netlink::LinkChange;

use super::{Site, veth};
use crate::device;
use crate::error::{Error, Result};
use crate::host::{Host, Inside};
use crate::l3;
use crate::names;
use crate::record::{Attachment, Neighbour, Port, Route, RoutedPort};
use crate::undo::Step;

/// The pod's IPv4 next hop.
pub const GATEWAY_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1));

/// The pod's IPv6 next hop.
pub const GATEWAY_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));

fn gateway(v6: bool) -> IpAddr {
    if v6 { GATEWAY_V6 } else { GATEWAY_V4 }
}

/// Brings addresses, routes and neighbours of a record into the shape of a routed port:
/// host prefixes, everything through the link-local next hop.
pub(crate) fn prepare(record: &mut Attachment) {
    let host_mac = names::host_mac(&record.container_id, &record.ifname);
    record.port = Port::Routed(RoutedPort { host_mac });
    for address in &mut record.addresses {
        address.address = IpNetwork::from(address.address.ip());
    }
    for v6 in [false, true] {
        if !record.addresses.iter().any(|a| a.address.is_ipv6() == v6) {
            record.routes.retain(|route| route.dst.is_ipv6() != v6);
            continue;
        }
        let next_hop = gateway(v6);
        for route in record.routes.iter_mut().filter(|r| r.dst.is_ipv6() == v6) {
            route.gateway = Some(next_hop);
            route.onlink = true;
            route.scope = None;
        }
        let has_default = record
            .routes
            .iter()
            .any(|r| r.dst.is_ipv6() == v6 && r.dst.prefix() == 0 && r.table.is_none());
        if !has_default {
            let any = match next_hop {
                IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            };
            let dst = IpNetwork::new(any, 0).expect("0 is a prefix length of every family");
            record.routes.push(Route {
                onlink: true,
                ..Route::via(dst, Some(next_hop))
            });
        }
        record.neighbours.retain(|n| n.address != next_hop);
        record.neighbours.push(Neighbour {
            address: next_hop,
            mac: host_mac,
        });
    }
}

/// Makes the pair, its far end born in the pod, and routes the pod's addresses to it.
pub(crate) async fn make(site: &mut Site<'_>) -> Result<()> {
    forward(site.host, site.record)?;
    site.undo
        .push(Step::HostLink(site.record.port_name.clone()));
    let pair = create(site.host, site.inside, site.record).await?;
    l3::configure(site.inside, site.record, pair.peer_index).await?;
    // Host routes last: before that no packet finds the way to a half-made pod.
    routes(site.host, site.record, pair.link.index).await
}

async fn create(host: &Host, inside: &Inside, record: &Attachment) -> Result<netlink::VethPair> {
    veth::create(host, inside, record).await
}

/// Lets the host forward between pods and the world.
fn forward(host: &Host, record: &Attachment) -> Result<()> {
    for (v6, key) in [
        (false, "net/ipv4/ip_forward"),
        (true, "net/ipv6/conf/all/forwarding"),
    ] {
        let wanted = record.addresses.iter().any(|a| a.address.is_ipv6() == v6);
        // Writing it even when set resets other sysctls of every interface.
        if wanted && host.netns.sysctl_get(key)? != "1" {
            host.netns.sysctl_set(key, "1")?;
        }
    }
    Ok(())
}

async fn routes(host: &Host, record: &Attachment, index: u32) -> Result<()> {
    for address in &record.addresses {
        let ip = address.address.ip();
        host.netlink.ensure_neighbour(index, ip, record.mac).await?;
        let route = netlink::Route::new(IpNetwork::from(ip), index);
        host.netlink.ensure_route(&route).await?;
    }
    Ok(())
}

/// Makes the pair anew.
pub(crate) async fn remake(host: &Host, inside: &Inside, record: &Attachment) -> Result<()> {
    forward(host, record)?;
    veth::clear(host, inside, record).await?;
    let pair = create(host, inside, record).await?;
    l3::configure(inside, record, pair.peer_index).await?;
    routes(host, record, pair.link.index).await
}

/// Host end up, marked, with its MAC, and routes to it.
pub(crate) async fn restore_host(host: &Host, record: &Attachment) -> Result<()> {
    let Port::Routed(port) = &record.port else {
        return Err(Error::NotApplicable {
            action: "restore-host",
            key: record.key(),
        });
    };
    forward(host, record)?;
    let link = device::required(&host.netlink, &record.port_name, "in the root namespace").await?;
    let alias = record.key().alias();
    let change = LinkChange {
        mac: (link.mac != Some(port.host_mac)).then_some(port.host_mac),
        alias: Some(&alias),
        up: Some(true),
        ..LinkChange::default()
    };
    host.netlink.change_link(link.index, &change).await?;
    routes(host, record, link.index).await
}
