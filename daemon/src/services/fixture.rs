//! Objects for tests, made as a source would make them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::object::{Endpoint, Id, Object, Service, Slice};

/// A Service `default/<name>` with one port 80/TCP, changed by `spec`.
pub fn service(name: &str, ip: &str, spec: &Value) -> Service {
    let mut object = json!({
        "metadata": {"name": name},
        "spec": {"clusterIP": ip, "ports": [{"port": 80}]},
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        match key.as_str() {
            "created" => object["metadata"]["creationTimestamp"] = value.clone(),
            "ingress" => object["status"]["loadBalancer"]["ingress"] = value.clone(),
            key => object["spec"][key] = value.clone(),
        }
    }
    let service: k8s_openapi::api::core::v1::Service = serde_json::from_value(object).unwrap();
    Service::try_from(service).unwrap()
}

/// A slice of a Service, for its nameless port, whose endpoints listen at 8080.
pub fn slice(service: &str, endpoints: Vec<Endpoint>) -> Slice {
    let mut slice: Slice = k8s(json!({
        "metadata": {"name": format!("{service}-1"), "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": [],
    }));
    slice.endpoints = endpoints;
    slice
}

fn k8s(object: Value) -> Slice {
    let slice: k8s_openapi::api::discovery::v1::EndpointSlice =
        serde_json::from_value(object).unwrap();
    Slice::try_from(slice).unwrap()
}

/// A ready endpoint on a node.
pub fn ready(ip: &str, node: &str) -> Endpoint {
    Endpoint {
        address: ip.parse().unwrap(),
        ready: true,
        serving: true,
        terminating: false,
        node: Some(node.to_owned()),
        zones: Vec::new(),
        nodes: Vec::new(),
    }
}

/// One that is on its way out and still serves.
pub fn leaving(ip: &str, node: &str) -> Endpoint {
    Endpoint {
        ready: false,
        terminating: true,
        ..ready(ip, node)
    }
}

/// Objects as a source tells them.
pub fn objects(all: impl IntoIterator<Item = Object>) -> BTreeMap<Id, Arc<Object>> {
    all.into_iter()
        .map(|object| (object.id(), Arc::new(object)))
        .collect()
}
