//! v1 Service.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use k8s_openapi::api::core::v1 as core;

use super::address::{Protocol, address, port, unusable};
use super::{Name, name_of};
use crate::services::error::Invalid;

/// The label that gives a Service to another proxy.
const OTHER_PROXY: &str = "service.kubernetes.io/service-proxy-name";

/// How long `sessionAffinity: ClientIP` lasts where nothing is said: the API's default.
const AFFINITY_SECONDS: i32 = 10_800;

/// The longest the API allows.
const AFFINITY_MAX: i32 = 86_400;

/// The type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An address within the cluster.
    ClusterIp,
    /// That, and a port of every node.
    NodePort,
    /// That, and addresses outside.
    LoadBalancer,
}

impl Kind {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// The name, empty for the only port.
    pub name: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The port clients ask for.
    pub port: u16,
    /// The port of every node.
    pub node_port: Option<u16>,
}

/// An address a load balancer has given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ingress {
    /// The address.
    pub address: IpAddr,
    /// Whether packets arrive with it (`ipMode: VIP`); else the balancer is a proxy, and its address not ours.
    pub is_vip: bool,
}

/// A Service with addresses of its own: headless ones and ExternalName need nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// `namespace/name`.
    pub name: Name,
    /// When it was made, as text that sorts; empty where nothing says so.
    pub created: String,
    /// The type; none if there is nothing to program for it.
    pub kind: Option<Kind>,
    /// Addresses within the cluster, one for each family.
    pub cluster_ips: Vec<IpAddr>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// `externalIPs`.
    pub external_ips: Vec<IpAddr>,
    /// What a load balancer has given.
    pub ingress: Vec<Ingress>,
    /// Who may use the addresses of the load balancer; empty: all.
    pub source_ranges: Vec<IpNetwork>,
    /// Seconds of affinity; 0: none.
    pub affinity_seconds: u32,
    /// `internalTrafficPolicy: Local`.
    pub internal_local: bool,
    /// `externalTrafficPolicy: Local`.
    pub external_local: bool,
    /// `healthCheckNodePort`.
    pub health_port: Option<u16>,
}

impl TryFrom<core::Service> for Service {
    type Error = Invalid;

    fn try_from(service: core::Service) -> Result<Self, Invalid> {
        let name = name_of(&service.metadata)?;
        let created = service
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0.to_string())
            .unwrap_or_default();
        let other_proxy = service
            .metadata
            .labels
            .is_some_and(|labels| labels.contains_key(OTHER_PROXY));
        let spec = service
            .spec
            .ok_or_else(|| Invalid::new("spec", "is missing"))?;
        let cluster_ips = cluster_ips(&spec)?;
        let kind = match spec.type_.as_deref() {
            _ if other_proxy || cluster_ips.is_none() => None,
            None | Some("ClusterIP") => Some(Kind::ClusterIp),
            Some("NodePort") => Some(Kind::NodePort),
            Some("LoadBalancer") => Some(Kind::LoadBalancer),
            Some("ExternalName") => None,
            Some(other) => {
                let reason =
                    format!("{other:?} is not ClusterIP, NodePort, LoadBalancer or ExternalName");
                return Err(Invalid::new("spec.type", reason));
            }
        };
        let health_port = match spec.health_check_node_port {
            None | Some(0) => None,
            Some(number) => Some(port("spec.healthCheckNodePort", number)?),
        };
        Ok(Self {
            created,
            cluster_ips: cluster_ips.unwrap_or_default(),
            ports: ports(&spec)?,
            external_ips: addresses("spec.externalIPs", spec.external_ips.as_deref())?,
            ingress: ingress(service.status)?,
            source_ranges: source_ranges(spec.load_balancer_source_ranges.as_deref())?,
            affinity_seconds: affinity(&spec)?,
            internal_local: is_local(
                "spec.internalTrafficPolicy",
                spec.internal_traffic_policy.as_deref(),
            )?,
            external_local: is_local(
                "spec.externalTrafficPolicy",
                spec.external_traffic_policy.as_deref(),
            )?,
            health_port,
            name,
            kind,
        })
    }
}

/// The addresses within the cluster; none for a headless Service and ExternalName.
fn cluster_ips(spec: &core::ServiceSpec) -> Result<Option<Vec<IpAddr>>, Invalid> {
    if spec.type_.as_deref() == Some("ExternalName") {
        return Ok(None);
    }
    let many = spec.cluster_ips.clone().unwrap_or_default();
    let given: Vec<(String, String)> = match (&spec.cluster_ip, many.is_empty()) {
        (_, false) => many
            .into_iter()
            .enumerate()
            .map(|(index, ip)| (format!("spec.clusterIPs[{index}]"), ip))
            .collect(),
        (Some(one), true) => vec![("spec.clusterIP".to_owned(), one.clone())],
        (None, true) => return Err(Invalid::new("spec.clusterIP", "is missing")),
    };
    if given.iter().any(|(_, ip)| ip == "None") {
        return Ok(None);
    }
    let mut families = BTreeSet::new();
    let mut found = Vec::new();
    for (field, text) in given {
        let ip = usable(&field, &text)?;
        if !families.insert(ip.is_ipv4()) {
            return Err(Invalid::new(
                field,
                format!("{ip} is the second of its family"),
            ));
        }
        found.push(ip);
    }
    Ok(Some(found))
}

/// An address that may be a Service's.
fn usable(field: &str, text: &str) -> Result<IpAddr, Invalid> {
    let ip = address(field, text)?;
    match unusable(ip) {
        Some(reason) => Err(Invalid::new(field, format!("{ip} {reason}"))),
        None => Ok(ip),
    }
}

fn addresses(field: &str, given: Option<&[String]>) -> Result<Vec<IpAddr>, Invalid> {
    let indexed = given.unwrap_or_default().iter().enumerate();
    indexed
        .map(|(index, text)| usable(&format!("{field}[{index}]"), text))
        .collect()
}

fn ports(spec: &core::ServiceSpec) -> Result<Vec<ServicePort>, Invalid> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (index, given) in spec.ports.iter().flatten().enumerate() {
        let field = |name: &str| format!("spec.ports[{index}].{name}");
        let protocol = Protocol::parse(&field("protocol"), given.protocol.as_deref())?;
        let number = port(&field("port"), given.port)?;
        if !seen.insert((number, protocol)) {
            let reason = format!("{number}/{} is there already", protocol.as_str());
            return Err(Invalid::new(field("port"), reason));
        }
        let node_port = match given.node_port {
            None | Some(0) => None,
            Some(number) => Some(port(&field("nodePort"), number)?),
        };
        found.push(ServicePort {
            name: given.name.clone().unwrap_or_default(),
            protocol,
            port: number,
            node_port,
        });
    }
    Ok(found)
}

fn ingress(status: Option<core::ServiceStatus>) -> Result<Vec<Ingress>, Invalid> {
    let given = status
        .and_then(|status| status.load_balancer)
        .and_then(|balancer| balancer.ingress);
    let mut found = Vec::new();
    for (index, given) in given.into_iter().flatten().enumerate() {
        // One known by a host name alone is reached by other means.
        let Some(ip) = given.ip.filter(|ip| !ip.is_empty()) else {
            continue;
        };
        let address = usable(&format!("status.loadBalancer.ingress[{index}].ip"), &ip)?;
        let is_vip = given.ip_mode.as_deref() != Some("Proxy");
        found.push(Ingress { address, is_vip });
    }
    Ok(found)
}

fn source_ranges(given: Option<&[String]>) -> Result<Vec<IpNetwork>, Invalid> {
    let indexed = given.unwrap_or_default().iter().enumerate();
    indexed
        .map(|(index, text)| {
            let field = format!("spec.loadBalancerSourceRanges[{index}]");
            text.trim()
                .parse()
                .map_err(|_| Invalid::new(field, format!("{text:?} is not a CIDR")))
        })
        .collect()
}

fn affinity(spec: &core::ServiceSpec) -> Result<u32, Invalid> {
    match spec.session_affinity.as_deref() {
        None | Some("None" | "") => Ok(0),
        Some("ClientIP") => {
            let given = spec
                .session_affinity_config
                .as_ref()
                .and_then(|config| config.client_ip.as_ref()?.timeout_seconds);
            let seconds = given.unwrap_or(AFFINITY_SECONDS);
            u32::try_from(seconds)
                .ok()
                .filter(|_| (1..=AFFINITY_MAX).contains(&seconds))
                .ok_or_else(|| {
                    let field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
                    Invalid::new(field, format!("{seconds} is not from 1 to {AFFINITY_MAX}"))
                })
        }
        Some(other) => {
            let reason = format!("{other:?} is not None or ClientIP");
            Err(Invalid::new("spec.sessionAffinity", reason))
        }
    }
}

fn is_local(field: &str, word: Option<&str>) -> Result<bool, Invalid> {
    match word {
        None | Some("Cluster" | "") => Ok(false),
        Some("Local") => Ok(true),
        Some(other) => {
            let reason = format!("{other:?} is not Cluster or Local");
            Err(Invalid::new(field, reason))
        }
    }
}
