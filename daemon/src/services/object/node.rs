//! v1 Node.

use std::net::IpAddr;

use k8s_openapi::api::core::v1 as core;

use super::address::address;
use crate::services::error::Invalid;

/// The label with a node's zone.
const ZONE: &str = "topology.kubernetes.io/zone";

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: Option<String>,
    /// Its addresses of type InternalIP.
    pub addresses: Vec<IpAddr>,
}

impl TryFrom<core::Node> for Node {
    type Error = Invalid;

    fn try_from(node: core::Node) -> Result<Self, Invalid> {
        let name = node.metadata.name.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| Invalid::new("metadata.name", "is missing"))?;
        let mut addresses = Vec::new();
        let given = node.status.and_then(|status| status.addresses);
        for (index, given) in given.into_iter().flatten().enumerate() {
            if given.type_ == "InternalIP" {
                let field = format!("status.addresses[{index}].address");
                addresses.push(address(&field, &given.address)?);
            }
        }
        let zone = node
            .metadata
            .labels
            .and_then(|mut labels| labels.remove(ZONE));
        Ok(Self {
            name,
            zone,
            addresses,
        })
    }
}
