//! The checks, each a pure function of the scene.

mod blind;
mod bridge_module;
mod conflist;
mod daemon;
mod flow_restore;
mod ghosts;
mod kernel_features;
mod leases;
mod mtu;
mod namespaces;
mod ovs_version;
mod ovsdb;
mod records;
mod rename_on_kernel;
mod stale_ports;
mod vswitchd;

use super::scene::Scene;
use crate::report::Finding;

/// A check: adds what it finds.
pub type Check = fn(&Scene, &mut Vec<Finding>);

/// Every check with its stable name.
pub const ALL: &[(&str, Check)] = &[
    (daemon::NAME, daemon::check),
    (ovsdb::NAME, ovsdb::check),
    (vswitchd::NAME, vswitchd::check),
    (bridge_module::NAME, bridge_module::check),
    (flow_restore::NAME, flow_restore::check),
    (ovs_version::NAME, ovs_version::check),
    (rename_on_kernel::NAME, rename_on_kernel::check),
    (records::NAME, records::check),
    (stale_ports::NAME, stale_ports::check),
    (ghosts::NAME, ghosts::check),
    (leases::NAME, leases::check),
    (mtu::NAME, mtu::check),
    (kernel_features::NAME, kernel_features::check),
    (namespaces::NAME, namespaces::check),
    (conflist::NAME, conflist::check),
    (blind::NAME, blind::check),
];

#[cfg(test)]
mod tests;
