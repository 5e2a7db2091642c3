//! Services as `berthctl services` and `backends` show them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An address and port of a Service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrontendReport {
    /// The address.
    pub address: String,
    /// The port.
    pub port: u16,
    /// Where it comes from: ClusterIP, NodePort, ExternalIP or LoadBalancer.
    pub origin: String,
    /// Backends programmed for clients inside.
    pub inside: u32,
    /// Backends programmed for clients outside.
    pub outside: u32,
}

/// An endpoint of a Service port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendReport {
    /// The address.
    pub address: String,
    /// The port.
    pub port: u16,
    /// `ready`, `terminating` (it still serves), or `not-ready`.
    pub state: String,
    /// The node it is on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<String>,
    /// The EndpointSlice it is from.
    pub slice: String,
}

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePortReport {
    /// Its name, empty for the only port.
    pub name: String,
    /// TCP, UDP or SCTP.
    pub protocol: String,
    /// The port clients ask for.
    pub port: u16,
    /// Its addresses.
    pub frontends: Vec<FrontendReport>,
    /// Its endpoints, whatever their state.
    pub backends: Vec<BackendReport>,
    /// Why it could not be programmed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// A Service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReport {
    /// `namespace/name`.
    pub name: String,
    /// ClusterIP, NodePort or LoadBalancer; `none` where nothing is programmed.
    #[serde(rename = "type")]
    pub kind: String,
    /// `internalTrafficPolicy`.
    pub internal_policy: String,
    /// `externalTrafficPolicy`.
    pub external_policy: String,
    /// Seconds of affinity; 0: none.
    pub affinity_seconds: u32,
    /// Its ports.
    pub ports: Vec<ServicePortReport>,
    /// What of it is refused, one line each.
    pub refused: Vec<String>,
}

/// All Services.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicesReport {
    /// Where they come from.
    pub source: String,
    /// The Services, by name.
    pub services: Vec<ServiceReport>,
    /// What is wrong, one line each.
    pub problems: Vec<String>,
    /// How often each verdict was given.
    pub verdicts: BTreeMap<String, u64>,
}

/// How Services do, in one line of `berthctl status`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicesStatus {
    /// Where they come from.
    pub source: String,
    /// How many Services there are.
    pub services: usize,
    /// How many addresses and ports are programmed.
    pub frontends: usize,
    /// How many backends are programmed, over all sets.
    pub backends: usize,
    /// How many packets' flows there are, at the last sweep.
    #[serde(default)]
    pub flows: usize,
    /// Devices with programs for packets: `pods`, `outside` or, with XDP, `outside, XDP`.
    #[serde(default)]
    pub devices: BTreeMap<String, String>,
    /// Where the socket programs are; none is off.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cgroup: Option<String>,
    /// When the source was last read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub synced_at_us: Option<u64>,
    /// How long the last change took from the source to the tables.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub took_ms: Option<f64>,
}
