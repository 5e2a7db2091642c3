//! The result of ADD: what earlier plugins answered, and after it what this one made.

use attachment::record::Attachment;

use crate::config::Config;
use crate::result::{Address, CniResult, Dns, Interface, Route};

/// What this plugin made besides the pod's interface, for the result.
#[derive(Debug, Default)]
pub struct HostSide {
    /// Interfaces on the host: the bridge's own, and the host end.
    pub interfaces: Vec<Interface>,
}

/// The part of `prevResult` that is meant for an interface still to be made: the
/// addresses that belong to none yet, and the routes of their families.
pub fn unclaimed(previous: &CniResult) -> CniResult {
    let ips: Vec<Address> = previous
        .ips
        .iter()
        .filter(|ip| ip.interface.is_none())
        .cloned()
        .collect();
    let has_family = |ipv6: bool| ips.iter().any(|ip| ip.address.is_ipv6() == ipv6);
    let routes = previous.routes.iter();
    CniResult {
        routes: routes
            .filter(|route| has_family(route.dst.is_ipv6()))
            .cloned()
            .collect(),
        ips,
        ..CniResult::default()
    }
}

/// Builds the result for an attachment that is ready.
pub fn result(
    config: &Config,
    record: &Attachment,
    host: HostSide,
    allocated: &CniResult,
) -> CniResult {
    let mut result = config.prev_result.clone().unwrap_or_default();
    // Unclaimed addresses and their routes come back with the interface they got.
    let claimed = unclaimed(&result);
    result.ips.retain(|ip| ip.interface.is_some());
    result
        .routes
        .retain(|route| !claimed.routes.contains(route));
    result.interfaces.extend(host.interfaces);
    let index = result.interfaces.len();
    result.interfaces.push(Interface {
        name: record.ifname.clone(),
        mac: Some(record.mac.to_string()),
        mtu: Some(record.mtu),
        sandbox: Some(record.netns.path.to_string_lossy().into_owned()),
        ..Interface::default()
    });
    result
        .ips
        .extend(record.addresses.iter().map(|one| Address {
            interface: Some(index),
            address: one.address,
            gateway: next_hop(record, one.address.is_ipv6()).or(one.gateway),
        }));
    result
        .routes
        .extend(record.routes.iter().map(|route| Route {
            dst: route.dst,
            gw: route.gateway,
            mtu: route.mtu,
            advmss: route.advmss,
            priority: route.priority,
            table: route.table,
            scope: route.scope,
        }));
    result.dns = dns(config, result.dns, &allocated.dns);
    result
}

/// The gateway that the pod of a routed port really has: the link-local next hop.
fn next_hop(record: &Attachment, ipv6: bool) -> Option<std::net::IpAddr> {
    let is_onlink = |route: &&attachment::record::Route| {
        route.onlink && route.dst.prefix() == 0 && route.dst.is_ipv6() == ipv6
    };
    record
        .routes
        .iter()
        .find(is_onlink)
        .and_then(|route| route.gateway)
}

/// The configuration's settings take the place of IPAM's, these that of the plugins
/// before; of what the runtime sets, each field counts for itself.
fn dns(config: &Config, previous: Dns, allocated: &Dns) -> Dns {
    let mut dns = [&config.dns, allocated]
        .into_iter()
        .find(|dns| !dns.is_empty())
        .cloned()
        .unwrap_or(previous);
    let runtime = &config.runtime.dns;
    for (to, from) in [
        (&mut dns.nameservers, &runtime.nameservers),
        (&mut dns.search, &runtime.search),
        (&mut dns.options, &runtime.options),
    ] {
        if !from.is_empty() {
            to.clone_from(from);
        }
    }
    dns
}
