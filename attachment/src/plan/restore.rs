//! What is missing on devices that are in their places.
//!
//! Only what the record names is looked for: addresses, routes and neighbours that
//! a pod added itself are its own.

use crate::drift::Drift;
use crate::record::{Attachment, Port, Route};
use crate::strategy::Strategy;
use crate::view::{Observed, PodState};

/// The main routing table, which a route without a table means.
const MAIN_TABLE: u32 = 254;

/// What is missing in the root namespace.
pub fn host_drift(record: &Attachment, observed: &Observed) -> Vec<Drift> {
    let mut drift = Vec::new();
    let name = &record.port_name;
    if matches!(
        record.strategy(),
        Strategy::Routed | Strategy::Veth | Strategy::Macvlan
    ) {
        match observed.root.links.get(name) {
            None => drift.push(Drift::HostLinkMissing(name.clone())),
            Some(link) => {
                if !link.up {
                    drift.push(Drift::HostLinkDown(name.clone()));
                }
                if link.alias.is_none() {
                    drift.push(Drift::HostAlias(name.clone()));
                }
                if let Port::Routed(routed) = &record.port {
                    if link.mac != Some(routed.host_mac) {
                        drift.push(Drift::Mac {
                            name: name.clone(),
                            found: link.mac,
                            expected: routed.host_mac,
                        });
                    }
                    for address in &record.addresses {
                        let ip = address.address.ip();
                        if !observed.root.host_routes.contains(&(ip, link.index)) {
                            drift.push(Drift::HostRouteMissing(ip));
                        }
                    }
                }
            }
        }
    }
    if let Some(port) = record.port.switch() {
        // A bridge whose device is not there is judged by its row, not here.
        if let Some(there) = observed.root.bridge_addresses.get(&port.bridge) {
            drift.extend(
                port.gateways
                    .iter()
                    .filter(|gateway| !there.contains(gateway))
                    .map(|gateway| Drift::GatewayMissing {
                        bridge: port.bridge.clone(),
                        address: *gateway,
                    }),
            );
        }
    }
    drift
}

/// What is missing on the pod's device.
pub fn pod_drift(record: &Attachment, state: &PodState) -> Vec<Drift> {
    let mut drift = Vec::new();
    let name = &record.ifname;
    let Some(link) = state.link(name) else {
        return vec![Drift::PodLinkMissing(name.clone())];
    };
    if link.mac != Some(record.mac) {
        drift.push(Drift::Mac {
            name: name.clone(),
            found: link.mac,
            expected: record.mac,
        });
    }
    if record.mtu != 0 && link.mtu != record.mtu {
        drift.push(Drift::Mtu {
            name: name.clone(),
            found: link.mtu,
            expected: record.mtu,
        });
    }
    if !link.up {
        drift.push(Drift::PodLinkDown(name.clone()));
    }
    for (key, expected) in &record.sysctls {
        let found = state.sysctls.get(key);
        if found != Some(expected) {
            drift.push(Drift::Sysctl {
                key: key.clone(),
                found: found.cloned(),
                expected: expected.clone(),
            });
        }
    }
    for address in &record.addresses {
        if !state.addresses.contains(&address.address) {
            drift.push(Drift::AddressMissing(address.address));
        }
    }
    for route in &record.routes {
        if !state.routes.iter().any(|there| satisfies(there, route)) {
            drift.push(Drift::RouteMissing(route.clone()));
        }
    }
    for neighbour in &record.neighbours {
        if !state.neighbours.contains(neighbour) {
            drift.push(Drift::NeighbourMissing(neighbour.clone()));
        }
    }
    drift
}

/// Whether the route that is there is the wanted one in everything the record sets.
fn satisfies(there: &Route, wanted: &Route) -> bool {
    fn matches<T: PartialEq>(there: &Option<T>, wanted: &Option<T>) -> bool {
        wanted.is_none() || there == wanted
    }
    there.dst.network() == wanted.dst.network()
        && there.dst.prefix() == wanted.dst.prefix()
        && there.gateway == wanted.gateway
        && matches(&there.mtu, &wanted.mtu)
        && matches(&there.advmss, &wanted.advmss)
        && matches(&there.priority, &wanted.priority)
        && there.table.unwrap_or(MAIN_TABLE) == wanted.table.unwrap_or(MAIN_TABLE)
}
