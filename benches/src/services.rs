//! The measurements of `bench-services`: connections, forwarding, scale, and pods of one node.

pub mod bpf;
pub mod connections;
pub mod forwarding;
pub mod goal;
pub mod gro;
pub mod kube;
pub mod load;
pub mod local;
pub mod manifests;
pub mod node;
pub mod scale;
pub mod tables;
