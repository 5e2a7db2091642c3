//! The settings as the daemon uses them: checked and typed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use dataplane::devices::XdpChoice;
use ipnetwork::IpNetwork;

use super::error::ConfigError;
use super::field::by_key;
use super::layer::{Layer, Origin, effective};
use super::value;
use crate::services::node::NodePortAddresses;
use crate::services::packet::Uplinks;

/// Where Services come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Services {
    /// Nowhere: no Service is programmed.
    None,
    /// A directory of manifests.
    Directory(PathBuf),
}

/// Where the socket programs go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cgroup {
    /// Nowhere.
    Off,
    /// The root of the unified hierarchy, wherever that is mounted.
    Root,
    /// This directory of it.
    At(PathBuf),
}

/// How other nodes' pods are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodRoutes {
    /// Somebody else sees to it.
    None,
}

/// Checked settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This node's name in the API.
    pub node_name: String,
    /// Where Services come from.
    pub services: Services,
    /// Directory of the attachment records and the control socket.
    pub state_dir: PathBuf,
    /// Directory of pinned maps and programs.
    pub bpf_dir: PathBuf,
    /// The OVSDB socket.
    pub ovsdb: PathBuf,
    /// The cgroup of the socket programs.
    pub cgroup: Cgroup,
    /// Which of the node's addresses take NodePorts.
    pub node_port_addresses: NodePortAddresses,
    /// Devices that face the outside.
    pub uplinks: Uplinks,
    /// How XDP is used there.
    pub xdp: XdpChoice,
    /// Networks of pods.
    pub cluster_cidrs: Vec<IpNetwork>,
    /// Where health is served; none is off.
    pub healthz: Option<SocketAddr>,
    /// Where metrics are served; none is off.
    pub metrics: Option<SocketAddr>,
    /// How other nodes' pods are reached.
    pub pod_routes: PodRoutes,
    /// Directory of the address leases.
    pub ipam_dir: PathBuf,
    /// Directory of the runtime's CNI configurations.
    pub cni_conf_dir: PathBuf,
    /// Time between full passes when nothing happens.
    pub resync: Duration,
    /// The log filter.
    pub log: String,
}

impl Settings {
    /// Checks every setting; the first layer has precedence. `host_name` is asked where no node name is given.
    pub fn resolve(
        layers: &[&Layer],
        host_name: impl FnOnce() -> String,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            node_name: field(layers, "node-name", value::node_name, || {
                host_name().to_lowercase()
            })?,
            services: required(layers, "services", services)?,
            state_dir: required(layers, "state-dir", value::absolute_path)?,
            bpf_dir: required(layers, "bpf-dir", value::absolute_path)?,
            ovsdb: required(layers, "ovsdb", value::socket_path)?,
            cgroup: required(layers, "cgroup", cgroup)?,
            node_port_addresses: required(layers, "nodeport-addresses", node_port_addresses)?,
            uplinks: required(layers, "uplink", uplinks)?,
            xdp: required(layers, "xdp", xdp)?,
            cluster_cidrs: required(layers, "cluster-cidr", cluster_cidrs)?,
            healthz: required(layers, "healthz", value::listen)?,
            metrics: required(layers, "metrics", value::listen)?,
            pod_routes: required(layers, "pod-routes", pod_routes)?,
            ipam_dir: required(layers, "ipam-dir", value::absolute_path)?,
            cni_conf_dir: required(layers, "cni-conf-dir", value::absolute_path)?,
            resync: required(layers, "resync", value::seconds)?,
            log: required(layers, "log", log)?,
        })
    }
}

/// A field that has a default in the table.
fn required<T>(
    layers: &[&Layer],
    key: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, ConfigError> {
    field(layers, key, parse, String::new)
}

/// A field whose default `fallback` finds out.
fn field<T>(
    layers: &[&Layer],
    key: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
    fallback: impl FnOnce() -> String,
) -> Result<T, ConfigError> {
    let field = by_key(key).expect("the key is in the table of fields");
    let (value, origin) = match effective(layers, field) {
        Some(given) => (given.value, given.origin),
        None => (fallback(), Origin::Default),
    };
    parse(&value).map_err(|reason| ConfigError::Invalid {
        field: key,
        value,
        origin,
        reason,
    })
}

fn services(text: &str) -> Result<Services, String> {
    match text {
        "none" => Ok(Services::None),
        "kubernetes" => {
            Err("the kubernetes source is not available yet, only none and dir:PATH are".to_owned())
        }
        other => match other.strip_prefix("dir:") {
            Some(path) => value::absolute_path(path).map(Services::Directory),
            None => Err("must be none or dir:PATH (later also kubernetes)".to_owned()),
        },
    }
}

fn cgroup(text: &str) -> Result<Cgroup, String> {
    match text {
        "none" => Ok(Cgroup::Off),
        "root" => Ok(Cgroup::Root),
        path => value::absolute_path(path).map(Cgroup::At),
    }
}

fn node_port_addresses(text: &str) -> Result<NodePortAddresses, String> {
    if text == "primary" {
        return Ok(NodePortAddresses::Primary);
    }
    let networks = text.split(',').map(str::trim).map(|cidr| {
        cidr.parse()
            .map_err(|_| format!("{cidr:?} is not a CIDR, and not primary"))
    });
    networks
        .collect::<Result<Vec<_>, _>>()
        .map(NodePortAddresses::Within)
}

fn uplinks(text: &str) -> Result<Uplinks, String> {
    let names: BTreeSet<String> = match text {
        "default" => return Ok(Uplinks::Default),
        "none" => BTreeSet::new(),
        names => names
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect(),
    };
    let good = |name: &String| (1..16).contains(&name.len()) && !name.contains(['/', ' ']);
    match names.iter().find(|name| !good(name)) {
        Some(bad) => Err(format!("{bad:?} is no name of a device")),
        None => Ok(Uplinks::Named(names)),
    }
}

fn xdp(text: &str) -> Result<XdpChoice, String> {
    match text {
        "auto" => Ok(XdpChoice::Auto),
        "native" => Ok(XdpChoice::Native),
        "generic" => Ok(XdpChoice::Generic),
        "off" => Ok(XdpChoice::Off),
        _ => Err("must be auto, native, generic or off".to_owned()),
    }
}

fn cluster_cidrs(text: &str) -> Result<Vec<IpNetwork>, String> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let networks = text.split(',').map(str::trim);
    networks
        .map(|cidr| {
            cidr.parse()
                .map_err(|_| format!("{cidr:?} is not a CIDR, and not none"))
        })
        .collect()
}

fn pod_routes(text: &str) -> Result<PodRoutes, String> {
    match text {
        "none" => Ok(PodRoutes::None),
        "direct" | "flannel" => Err("this mode is not available yet, only none is".to_owned()),
        _ => Err("must be none (later also direct or flannel)".to_owned()),
    }
}

fn log(text: &str) -> Result<String, String> {
    tracing_subscriber::EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
