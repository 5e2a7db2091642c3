//! v1 Node.

use std::net::IpAddr;

use k8s_openapi::api::core::v1 as core;

use super::address::address;
use crate::services::error::Invalid;

/// The label with a node's zone.
const ZONE: &str = "topology.kubernetes.io/zone";

/// The taint that the cluster autoscaler puts on a node that it is about to remove.
const TO_BE_DELETED: &str = "ToBeDeletedByClusterAutoscaler";

/// Why a node is on its way out: load balancers are to send it no new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Leaving {
    /// Its object has a deletionTimestamp.
    #[error("it is being deleted")]
    Deleted,
    /// The cluster autoscaler has tainted it.
    #[error("the cluster autoscaler is about to remove it (taint {TO_BE_DELETED})")]
    Autoscaler,
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: Option<String>,
    /// Its addresses of type InternalIP.
    pub addresses: Vec<IpAddr>,
    /// Whether it is on its way out.
    pub leaving: Option<Leaving>,
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
        let taints = node.spec.and_then(|spec| spec.taints);
        let leaving = if node.metadata.deletion_timestamp.is_some() {
            Some(Leaving::Deleted)
        } else {
            let mut taints = taints.into_iter().flatten();
            taints
                .any(|taint| taint.key == TO_BE_DELETED)
                .then_some(Leaving::Autoscaler)
        };
        let zone = node
            .metadata
            .labels
            .and_then(|mut labels| labels.remove(ZONE));
        Ok(Self {
            name,
            zone,
            addresses,
            leaving,
        })
    }
}
