//! discovery.k8s.io/v1 EndpointSlice.

use std::net::IpAddr;

use k8s_openapi::api::discovery::v1 as discovery;
use k8s_openapi::jiff::Timestamp;

use super::address::{Protocol, address, port, unusable};
use super::{Name, name_of};
use crate::services::error::Invalid;

/// The label with the name of the Service.
const SERVICE: &str = "kubernetes.io/service-name";

/// The annotation with the time of the change of a pod or Service that led to the slice's last one.
const TRIGGERED: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// A port of a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlicePort {
    /// The name, empty for the only port.
    pub name: String,
    /// The protocol.
    pub protocol: Protocol,
    /// Where endpoints listen.
    pub port: u16,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address: the first one, as others are not used.
    pub address: IpAddr,
    /// Whether it takes new connections.
    pub ready: bool,
    /// Whether it answers, though it may be on its way out.
    pub serving: bool,
    /// Whether it is on its way out.
    pub terminating: bool,
    /// The node it is on.
    pub node: Option<String>,
    /// Zones whose clients it should serve.
    pub zones: Vec<String>,
    /// Nodes whose clients it should serve.
    pub nodes: Vec<String>,
}

/// A part of the endpoints of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// `namespace/name`.
    pub name: Name,
    /// `namespace/name` of its Service; none: nobody's.
    pub service: Option<Name>,
    /// Its ports; a port without number stands for all of them and is not used, as for a Service it means none.
    pub ports: Vec<SlicePort>,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Endpoints that are refused, with the reason.
    pub refused: Vec<String>,
    /// When a pod or the Service changed, which led to the slice's last change: microseconds since 1970.
    pub triggered_us: Option<u64>,
}

impl TryFrom<discovery::EndpointSlice> for Slice {
    type Error = Invalid;

    fn try_from(slice: discovery::EndpointSlice) -> Result<Self, Invalid> {
        let name = name_of(&slice.metadata)?;
        let namespace = name.split('/').next().unwrap_or_default();
        let label = slice
            .metadata
            .labels
            .and_then(|mut labels| labels.remove(SERVICE));
        let service = label.map(|service| format!("{namespace}/{service}"));
        // Measured by and nothing else: one that makes no sense counts as none, as with kube-proxy.
        let triggered_us = slice
            .metadata
            .annotations
            .and_then(|annotations| annotations.get(TRIGGERED)?.parse::<Timestamp>().ok())
            .and_then(|at| u64::try_from(at.as_microsecond()).ok());
        let is_v4 = match slice.address_type.as_str() {
            "IPv4" => true,
            "IPv6" => false,
            // Names are resolved by nobody here, as with kube-proxy.
            "FQDN" => {
                return Ok(Self {
                    name,
                    service: None,
                    ports: Vec::new(),
                    endpoints: Vec::new(),
                    refused: Vec::new(),
                    triggered_us,
                });
            }
            other => {
                let reason = format!("{other:?} is not IPv4, IPv6 or FQDN");
                return Err(Invalid::new("addressType", reason));
            }
        };
        let mut ports = Vec::new();
        for (index, given) in slice.ports.into_iter().flatten().enumerate() {
            let field = |name: &str| format!("ports[{index}].{name}");
            let protocol = Protocol::parse(&field("protocol"), given.protocol.as_deref())?;
            if let Some(number) = given.port {
                ports.push(SlicePort {
                    name: given.name.unwrap_or_default(),
                    protocol,
                    port: port(&field("port"), number)?,
                });
            }
        }
        let (mut endpoints, mut refused) = (Vec::new(), Vec::new());
        for (index, given) in slice.endpoints.into_iter().flatten().enumerate() {
            let field = format!("endpoints[{index}].addresses[0]");
            let text = given
                .addresses
                .first()
                .ok_or_else(|| Invalid::new(&field, "is missing"))?;
            let address = address(&field, text)?;
            if address.is_ipv4() != is_v4 {
                let reason = format!("{address} is not of addressType {}", slice.address_type);
                return Err(Invalid::new(field, reason));
            }
            if let Some(reason) = unusable(address) {
                refused.push(format!("{name}: {field}: {address} {reason}"));
                continue;
            }
            let conditions = given.conditions.unwrap_or_default();
            let hints = given.hints.unwrap_or_default();
            endpoints.push(Endpoint {
                address,
                // Unknown means ready, and serving follows it.
                ready: conditions.ready.unwrap_or(true),
                serving: conditions.serving.or(conditions.ready).unwrap_or(true),
                terminating: conditions.terminating.unwrap_or(false),
                node: given.node_name,
                zones: hints
                    .for_zones
                    .into_iter()
                    .flatten()
                    .map(|zone| zone.name)
                    .collect(),
                nodes: hints
                    .for_nodes
                    .into_iter()
                    .flatten()
                    .map(|node| node.name)
                    .collect(),
            });
        }
        Ok(Self {
            name,
            service,
            ports,
            endpoints,
            refused,
            triggered_us,
        })
    }
}
