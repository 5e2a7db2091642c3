//! Manifests of many Services, as `kubectl get -o yaml` prints them: a file for each, with its slice.

use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, Result};

/// The namespace of all objects.
pub const NAMESPACE: &str = "bench";

/// The port of every Service.
pub const PORT: u16 = 80;

/// Where every backend listens.
pub const BACKEND: u16 = 8080;

/// The API's default range for ports of nodes.
const NODE_PORTS: std::ops::Range<usize> = 30_000..32_768;

/// One Service in so many has a port of every node as well.
const EACH_NODE_PORT: usize = 10;

/// Its name: those of higher numbers sort later.
pub fn name(number: usize) -> String {
    format!("s{number:06}")
}

/// Its address within the cluster, in 10.96.0.0/12: after those that the API server gives to itself.
pub fn cluster_ip(number: usize) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 96, 1, 0)) + number as u32)
}

/// An endpoint that nobody answers at, in 10.128.0.0/9.
pub fn endpoint(number: usize) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 128, 0, 1)) + number as u32)
}

/// A Service's port of every node, if it has one.
pub fn node_port(number: usize) -> Option<usize> {
    let port = NODE_PORTS.start + number / EACH_NODE_PORT;
    (number.is_multiple_of(EACH_NODE_PORT) && NODE_PORTS.contains(&port)).then_some(port)
}

/// The file of a Service with those endpoints.
pub fn text(number: usize, endpoints: &[Ipv4Addr]) -> String {
    let (name, ip) = (name(number), cluster_ip(number));
    let (kind, node_port) = match node_port(number) {
        Some(port) => ("NodePort", format!("\n    nodePort: {port}")),
        None => ("ClusterIP", String::new()),
    };
    let mut text = format!(
        "apiVersion: v1
kind: Service
metadata:
  creationTimestamp: \"2026-01-02T03:04:05Z\"
  labels:
    app.kubernetes.io/name: {name}
  name: {name}
  namespace: {NAMESPACE}
  resourceVersion: \"{number}\"
  uid: 5d2cf9c0-3a3b-4f6e-8d1f-{number:012}
spec:
  clusterIP: {ip}
  clusterIPs:
  - {ip}
  internalTrafficPolicy: Cluster
  ipFamilies:
  - IPv4
  ipFamilyPolicy: SingleStack
  ports:
  - name: http
    port: {PORT}
    protocol: TCP
    targetPort: {BACKEND}{node_port}
  selector:
    app.kubernetes.io/name: {name}
  sessionAffinity: None
  type: {kind}
status:
  loadBalancer: {{}}
---
addressType: IPv4
apiVersion: discovery.k8s.io/v1
endpoints:
"
    );
    for (index, address) in endpoints.iter().enumerate() {
        write!(
            text,
            "- addresses:
  - {address}
  conditions:
    ready: true
    serving: true
    terminating: false
  nodeName: node-{}
  targetRef:
    kind: Pod
    name: {name}-{index:05}
    namespace: {NAMESPACE}
    uid: 0b9a8a3e-61b9-4f0c-9f5e-{index:012}
",
            index % 100
        )
        .expect("a string takes what is written");
    }
    write!(
        text,
        "kind: EndpointSlice
metadata:
  creationTimestamp: \"2026-01-02T03:04:05Z\"
  labels:
    app.kubernetes.io/name: {name}
    kubernetes.io/service-name: {name}
  name: {name}-abcde
  namespace: {NAMESPACE}
  resourceVersion: \"{number}\"
  uid: 77aa33bb-3a3b-4f6e-8d1f-{number:012}
ports:
- name: http
  port: {BACKEND}
  protocol: TCP
"
    )
    .expect("a string takes what is written");
    text
}

/// Puts a file in place of what was there, as an editor would: by renaming.
///
/// # Errors
/// When the folder cannot be written.
pub fn put(folder: &Path, number: usize, text: &str) -> Result<()> {
    let path = folder.join(format!("{}.yaml", name(number)));
    let fresh = path.with_extension("new");
    fs::write(&fresh, text).with_context(|| format!("cannot write {}", fresh.display()))?;
    fs::rename(&fresh, &path).with_context(|| format!("cannot write {}", path.display()))
}
