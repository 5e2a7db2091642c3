//! What a Service's tables should be: pure, from the Service, its slices and what is known of this node.
//!
//! The verdicts are those of kube-proxy's nftables mode, but for addresses that are not the Service's to claim.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use abi::{Address, Backend, Frontend, Service as Flags};
use dataplane::node::bits;
use dataplane::tables::{PortKey, PortTable, Target};

use super::node::Here;
use super::object::{Endpoint, Kind, Name, Service, ServicePort, Slice};

/// Backends for clients inside of the Service's address within the cluster.
pub const INTERNAL: usize = 0;
/// Backends for clients inside of all other addresses, whatever their policy: who is inside is not sent away.
pub const CLUSTER: usize = 1;
/// Backends for clients outside.
pub const EXTERNAL: usize = 2;

/// Where an address of a Service comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// `clusterIPs`.
    ClusterIp,
    /// Any port of `clusterIPs` that the Service has not.
    OtherPort,
    /// A port of this node.
    NodePort,
    /// `externalIPs`.
    ExternalIp,
    /// `status.loadBalancer.ingress`.
    LoadBalancer,
}

impl Origin {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::OtherPort => "other ports",
            Self::NodePort => "NodePort",
            Self::ExternalIp => "ExternalIP",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

/// What a Service wants to have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// Its frontends, with the port each belongs to; none for [`Origin::OtherPort`].
    pub frontends: BTreeMap<Frontend, (Origin, Option<usize>)>,
    /// Claims that are refused whoever else wants them.
    pub refused: Vec<String>,
}

/// The key of a port in the tables.
pub fn port_key(service: &Name, port: Option<&ServicePort>) -> PortKey {
    match port {
        Some(port) => format!("{service}:{}/{}", port.port, port.protocol.as_str()),
        None => format!("{service}:*"),
    }
}

/// What a Service claims. `is_cluster_ip` tells whether an address is a Service's within the cluster.
pub fn claims(service: &Service, here: &Here, is_cluster_ip: impl Fn(IpAddr) -> bool) -> Claims {
    let mut claims = Claims::default();
    let Some(kind) = service.kind else {
        return claims;
    };
    for (index, port) in service.ports.iter().enumerate() {
        let mut claim = |address: IpAddr, number: u16, origin: Origin| {
            let frontend = frontend(address, number, port.protocol.number());
            claims
                .frontends
                .entry(frontend)
                .or_insert((origin, Some(index)));
        };
        for ip in &service.cluster_ips {
            if here.addresses.contains(ip) {
                continue;
            }
            claim(*ip, port.port, Origin::ClusterIp);
        }
        if let (Some(number), Kind::NodePort | Kind::LoadBalancer) = (port.node_port, kind) {
            for ip in &here.node_port_addresses {
                claim(*ip, number, Origin::NodePort);
            }
        }
        for ip in &service.external_ips {
            if refusal(*ip, here, &is_cluster_ip).is_none() {
                claim(*ip, port.port, Origin::ExternalIp);
            }
        }
        if kind == Kind::LoadBalancer {
            for ingress in service.ingress.iter().filter(|ingress| ingress.is_vip) {
                if refusal(ingress.address, here, &is_cluster_ip).is_none() {
                    claim(ingress.address, port.port, Origin::LoadBalancer);
                }
            }
        }
    }
    for ip in &service.cluster_ips {
        if here.addresses.contains(ip) {
            let line = format!("spec.clusterIP: {ip} is an address of this node");
            claims.refused.push(line);
        } else {
            claims
                .frontends
                .insert(frontend(*ip, 0, 0), (Origin::OtherPort, None));
        }
    }
    let external = service
        .external_ips
        .iter()
        .map(|ip| ("spec.externalIPs", *ip));
    let ingress = service.ingress.iter().filter(|ingress| ingress.is_vip);
    let ingress = ingress.map(|ingress| ("status.loadBalancer.ingress", ingress.address));
    for (field, ip) in external.chain(ingress) {
        if let Some(reason) = refusal(ip, here, &is_cluster_ip) {
            claims.refused.push(format!("{field}: {ip} {reason}"));
        }
    }
    claims
}

/// Why an address outside may not be a Service's.
fn refusal(
    ip: IpAddr,
    here: &Here,
    is_cluster_ip: &impl Fn(IpAddr) -> bool,
) -> Option<&'static str> {
    if here.addresses.contains(&ip) {
        Some("is an address of this node")
    } else if is_cluster_ip(ip) {
        Some("is a Service's address within the cluster")
    } else {
        None
    }
}

fn frontend(address: IpAddr, port: u16, protocol: u8) -> Frontend {
    Frontend {
        address: address.into(),
        port_be: port.to_be(),
        protocol,
        pad: 0,
    }
}

/// The tables of a Service, by port, from what it was granted of its claims.
pub fn tables(
    service: &Service,
    slices: &[&Slice],
    here: &Here,
    granted: &BTreeMap<Frontend, (Origin, Option<usize>)>,
) -> BTreeMap<PortKey, PortTable> {
    let mut tables: BTreeMap<PortKey, PortTable> = BTreeMap::new();
    for (index, port) in service.ports.iter().enumerate() {
        let endpoints = endpoints(port, slices);
        let choice = Choice::of(&endpoints, here);
        let sets = vec![
            choice.backends(service.internal_local),
            choice.backends(false),
            choice.backends(service.external_local),
        ];
        let anybody = !choice.cluster.is_empty() || !choice.local.is_empty();
        let frontends: BTreeMap<Frontend, Target> = granted
            .iter()
            .filter(|(_, (_, port))| *port == Some(index))
            .map(|(frontend, (origin, _))| (*frontend, target(*origin, service, anybody)))
            .collect();
        if !frontends.is_empty() {
            let is_outside = |(_, (origin, at)): (&Frontend, &(Origin, Option<usize>))| {
                *at == Some(index) && *origin != Origin::ClusterIp
            };
            let table = PortTable {
                frontends,
                sets,
                affinity_seconds: service.affinity_seconds,
                consistent: granted.iter().any(is_outside),
                sources: sources(service),
            };
            tables.insert(port_key(&service.name, Some(port)), table);
        }
    }
    let other: BTreeMap<Frontend, Target> = granted
        .iter()
        .filter(|(_, (origin, _))| *origin == Origin::OtherPort)
        .map(|(frontend, _)| {
            let target = Target {
                flags: Flags::INSIDE_REJECT | Flags::OUTSIDE_REJECT,
                ..Target::default()
            };
            (*frontend, target)
        })
        .collect();
    if !other.is_empty() {
        let table = PortTable {
            frontends: other,
            ..PortTable::default()
        };
        tables.insert(port_key(&service.name, None), table);
    }
    tables
}

/// Who may use the addresses of a load balancer; nobody in particular: all.
fn sources(service: &Service) -> Vec<(Address, u32)> {
    let ranges = service.source_ranges.iter();
    ranges
        .map(|range| {
            let first = range.network();
            (first.into(), bits(first, range.prefix()))
        })
        .collect()
}

/// What a frontend points at. A policy `Local` that finds nobody here drops while there is somebody elsewhere, as the
/// packet should not have come here; with nobody anywhere it is refused.
fn target(origin: Origin, service: &Service, anybody: bool) -> Target {
    let (inside, outside) = match origin {
        Origin::ClusterIp | Origin::OtherPort => (INTERNAL, INTERNAL),
        Origin::NodePort | Origin::ExternalIp | Origin::LoadBalancer => (CLUSTER, EXTERNAL),
    };
    let local = |set: usize| match set {
        INTERNAL => service.internal_local,
        CLUSTER => false,
        _ => service.external_local,
    };
    let mut flags = 0;
    flags |= if anybody && local(inside) {
        Flags::INSIDE_DROP
    } else {
        Flags::INSIDE_REJECT
    };
    flags |= if anybody && local(outside) {
        Flags::OUTSIDE_DROP
    } else {
        Flags::OUTSIDE_REJECT
    };
    if outside == EXTERNAL && service.external_local {
        flags |= Flags::KEEP_SOURCE;
    }
    if origin == Origin::LoadBalancer && !service.source_ranges.is_empty() {
        flags |= Flags::CHECK_SOURCE;
    }
    Target {
        inside,
        outside,
        flags,
    }
}

/// An endpoint with the port it listens at.
#[derive(Debug, Clone, Copy)]
pub struct Listening<'a> {
    /// The endpoint.
    pub endpoint: &'a Endpoint,
    /// The port.
    pub port: u16,
}

/// The endpoints of a port of a Service: slices name the ports as the Service does.
pub fn endpoints<'a>(port: &ServicePort, slices: &[&'a Slice]) -> Vec<Listening<'a>> {
    let mut found = Vec::new();
    for slice in slices {
        let here = slice
            .ports
            .iter()
            .find(|given| given.name == port.name && given.protocol == port.protocol);
        let Some(here) = here else { continue };
        found.extend(slice.endpoints.iter().map(|endpoint| Listening {
            endpoint,
            port: here.port,
        }));
    }
    found
}

/// Which endpoints serve, for each policy.
#[derive(Debug)]
pub struct Choice {
    /// Policy `Cluster`, after topology.
    pub cluster: BTreeSet<Backend>,
    /// Policy `Local`.
    pub local: BTreeSet<Backend>,
}

impl Choice {
    /// Ready ones, or if there are none those that still serve on their way out: for each policy by itself.
    pub fn of(endpoints: &[Listening<'_>], here: &Here) -> Self {
        let is_local = |it: &Listening<'_>| it.endpoint.node.as_deref() == Some(&*here.name);
        let near = nearness(endpoints, here);
        let pick = |filter: &dyn Fn(&Listening<'_>) -> bool,
                    near: &dyn Fn(&Listening<'_>) -> bool| {
            let of = |wanted: &dyn Fn(&Listening<'_>) -> bool| -> BTreeSet<Backend> {
                let wanted = endpoints.iter().filter(|it| filter(it) && wanted(it));
                wanted.map(backend).collect()
            };
            let ready = of(&|it| it.endpoint.ready && near(it));
            if ready.is_empty() {
                of(&|it| it.endpoint.serving && it.endpoint.terminating)
            } else {
                ready
            }
        };
        Self {
            cluster: pick(&|_| true, &|it| near.allows(it.endpoint, here)),
            local: pick(&is_local, &|_| true),
        }
    }

    fn backends(&self, local: bool) -> Vec<Backend> {
        let set = if local { &self.local } else { &self.cluster };
        set.iter().copied().collect()
    }
}

fn backend(it: &Listening<'_>) -> Backend {
    Backend {
        address: it.endpoint.address.into(),
        port_be: it.port.to_be(),
        pad: 0,
    }
}

/// How near an endpoint must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nearness {
    Anywhere,
    Zone,
    Node,
}

impl Nearness {
    fn allows(self, endpoint: &Endpoint, here: &Here) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Zone => here
                .zone
                .as_ref()
                .is_some_and(|zone| endpoint.zones.contains(zone)),
            Self::Node => endpoint.nodes.contains(&here.name),
        }
    }
}

/// Hints count only if every ready endpoint has one and one is for here; those for nodes come before those for zones.
fn nearness(endpoints: &[Listening<'_>], here: &Here) -> Nearness {
    let counts = |near: Nearness, hints: fn(&Endpoint) -> &[String]| {
        let mut ready = endpoints.iter().filter(|it| it.endpoint.ready).peekable();
        ready.peek().is_some()
            && ready.clone().all(|it| !hints(it.endpoint).is_empty())
            && ready.any(|it| near.allows(it.endpoint, here))
    };
    if counts(Nearness::Node, |endpoint| &endpoint.nodes) {
        Nearness::Node
    } else if counts(Nearness::Zone, |endpoint| &endpoint.zones) {
        Nearness::Zone
    } else {
        Nearness::Anywhere
    }
}

#[cfg(test)]
mod tests;
