//! Harness of the privileged suites: fresh network namespaces, a private Open vSwitch per test, runners for
//! CNI plugins, traffic that measures an outage, and a guard that finds what a test left behind.
//!
//! It depends on no crate of the workspace, so that every one of them may use it in its own tests; what berth
//! itself does is driven through its binaries only. Everything here needs root and fails without it.

pub mod binaries;
pub mod bpffs;
pub mod cni;
pub mod diagnosis;
pub mod kill;
pub mod leftovers;
pub mod netns;
pub mod node;
pub mod ovs;
pub mod packet;
pub mod rig;
pub mod runner;
pub mod scenarios;
pub mod traffic;
pub mod wait;
