//! `healthCheckNodePort`: how load balancers learn whether this node has an endpoint of a Service whose policy is
//! `Local`. What is answered where is decided here, purely; the sockets are [`listen`]'s.

pub mod listen;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use dataplane::tables::PortKey;
use serde::Serialize;

use super::index::Index;
use super::object::{Kind, Name, Service};

/// What is told of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The Service.
    pub service: Name,
    /// Ready endpoints on this node by address; none if the Service is not of IPv4.
    pub v4: Option<usize>,
    /// Those of IPv6.
    pub v6: Option<usize>,
    /// Whether all its ports are in the tables.
    pub is_programmed: bool,
}

/// What is to be answered, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// By port.
    pub checks: BTreeMap<u16, Check>,
    /// Where these ports are opened: as with kube-proxy on the addresses that take NodePorts, as the flag that names
    /// them says what of the node is open to the outside. With none of them nothing is opened either: an address
    /// nobody has allowed would be worse than a balancer that passes over a node whose NodePorts do not answer.
    pub addresses: BTreeSet<IpAddr>,
    /// Services that cannot have their port, with the reason.
    pub refused: BTreeMap<Name, String>,
}

/// The body of an answer, in kube-proxy's words.
#[derive(Debug, Serialize)]
struct Body<'a> {
    service: ServiceName<'a>,
    #[serde(rename = "localEndpoints")]
    local_endpoints: usize,
    #[serde(rename = "serviceProxyHealthy")]
    service_proxy_healthy: bool,
}

#[derive(Debug, Serialize)]
struct ServiceName<'a> {
    namespace: &'a str,
    name: &'a str,
}

/// An answer to a load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may send new connections here.
    pub is_good: bool,
    /// How many endpoints would take them.
    pub weight: usize,
    /// The same in JSON.
    pub body: String,
}

/// The port a Service is asked about at; only one of a load balancer and with the policy `Local` is asked about.
pub fn port(service: &Service) -> Option<u16> {
    let is_asked = service.kind == Some(Kind::LoadBalancer) && service.external_local;
    service.health_port.filter(|_| is_asked)
}

/// What is to be answered now. `failed` has the ports that could not be written.
pub fn wanted(index: &Index, failed: &BTreeMap<PortKey, String>) -> Wanted {
    let mut wanted = Wanted {
        addresses: index.here().node_port_addresses.clone(),
        ..Wanted::default()
    };
    for service in index.health_checked() {
        let Some(port) = port(service) else { continue };
        let mut refuse = |reason: String| {
            let line = format!("spec.healthCheckNodePort: {port} {reason}");
            wanted.refused.insert(service.name.clone(), line);
        };
        if let Some(first) = wanted.checks.get(&port) {
            refuse(format!("is Service {}'s already", first.service));
            continue;
        }
        if wanted.addresses.is_empty() {
            refuse("is not listened on, as no address of this node takes NodePorts".to_owned());
        }
        let local = local(index, &service.name);
        let count = |is_v4: bool| {
            let mut families = service.cluster_ips.iter().map(IpAddr::is_ipv4);
            let of_family = local.iter().filter(|ip| ip.is_ipv4() == is_v4);
            families
                .any(|family| family == is_v4)
                .then(|| of_family.count())
        };
        let check = Check {
            service: service.name.clone(),
            v4: count(true),
            v6: count(false),
            is_programmed: !failed
                .keys()
                .any(|key| key.split_once(':').is_some_and(|it| it.0 == service.name)),
        };
        wanted.checks.insert(port, check);
    }
    wanted
}

/// The addresses of a Service's ready endpoints on this node: one that serves on its way out takes connections that
/// come, but more should not be sent to it.
fn local(index: &Index, name: &str) -> BTreeSet<IpAddr> {
    let here = &index.here().name;
    let slices = index.slices_of(name).into_iter();
    // An endpoint that listens nowhere is none.
    let endpoints = slices
        .filter(|slice| !slice.ports.is_empty())
        .flat_map(|slice| &slice.endpoints);
    endpoints
        .filter(|endpoint| endpoint.ready && endpoint.node.as_ref() == Some(here))
        .map(|endpoint| endpoint.address)
        .collect()
}

impl Check {
    /// How many endpoints there are for who asks by this family: each pod has an address in each, and a balancer of
    /// IPv4 has no use for one of IPv6. A Service of one family is the same by whatever address it is asked about.
    pub fn local(&self, is_v4: bool) -> usize {
        let (own, other) = if is_v4 {
            (self.v4, self.v6)
        } else {
            (self.v6, self.v4)
        };
        own.or(other).unwrap_or(0)
    }

    /// The answer, where `is_healthy` tells of the node as a whole.
    pub fn verdict(&self, is_v4: bool, is_healthy: bool) -> Verdict {
        let weight = self.local(is_v4);
        // A node that could not write this Service's tables is no place for its connections.
        let is_healthy = is_healthy && self.is_programmed;
        let (namespace, name) = self.service.split_once('/').unwrap_or(("", &self.service));
        let body = Body {
            service: ServiceName { namespace, name },
            local_endpoints: weight,
            service_proxy_healthy: is_healthy,
        };
        Verdict {
            is_good: weight > 0 && is_healthy,
            weight,
            body: serde_json::to_string(&body).expect("names and numbers are always JSON"),
        }
    }
}

#[cfg(test)]
mod tests;
