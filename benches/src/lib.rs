//! Commands that measure, never tests: how long pods wait for their network, and what it carries.
//!
//! `bench-cni` times the plugin against the reference plugins, the outage of
//! pods while Open vSwitch restarts, and what the programs cost. `bench-ports`
//! compares the data paths of the port strategies, `bench-services` what Services
//! cost. Each measurement is a file;
//! all of them report through [`report`].

pub mod cni;
pub mod command;
pub mod contender;
pub mod interrupt;
pub mod node_daemon;
pub mod plugin;
pub mod ports;
pub mod programs;
pub mod report;
pub mod services;
pub mod setting;
pub mod stats;
pub mod wire;
