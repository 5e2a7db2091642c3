//! Objects of the API, checked and reduced to what a Service's tables are made from.

mod address;
mod node;
mod service;
mod slice;

pub use address::{Protocol, Unusable, unusable};
pub use node::{Leaving, Node};
pub use service::{Ingress, Kind, Service, ServicePort};
pub use slice::{Endpoint, Slice, SlicePort};

/// `namespace/name`.
pub type Name = String;

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// v1 Service.
    Service(Box<Service>),
    /// discovery.k8s.io/v1 EndpointSlice.
    Slice(Box<Slice>),
    /// v1 Node.
    Node(Box<Node>),
}

/// What an object is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// A Service.
    Service(Name),
    /// An EndpointSlice.
    Slice(Name),
    /// A Node, which has no namespace.
    Node(String),
}

impl Object {
    /// What it is known by.
    pub fn id(&self) -> Id {
        match self {
            Self::Service(service) => Id::Service(service.name.clone()),
            Self::Slice(slice) => Id::Slice(slice.name.clone()),
            Self::Node(node) => Id::Node(node.name.clone()),
        }
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Service(name) => write!(f, "Service {name}"),
            Self::Slice(name) => write!(f, "EndpointSlice {name}"),
            Self::Node(name) => write!(f, "Node {name}"),
        }
    }
}

/// `namespace/name` of an object's metadata.
fn name_of(
    metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
) -> Result<Name, super::error::Invalid> {
    let name = metadata.name.as_deref().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| super::error::Invalid::new("metadata.name", "is missing"))?;
    let namespace = metadata.namespace.as_deref().unwrap_or("default");
    Ok(format!("{namespace}/{name}"))
}

#[cfg(test)]
mod tests;
