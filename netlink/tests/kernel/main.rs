//! The crate against the real kernel: each function in fresh namespaces, judged by what `ip` reads back.

mod addr;
mod announce;
mod bond;
mod delete;
mod dump;
mod errors;
mod link;
mod macvlan;
mod monitor;
mod neigh;
mod netns;
mod node;
mod offload;
mod route;
mod sock_diag;
mod sysctl;
mod tap;
mod veth;
