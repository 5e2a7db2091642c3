//! Scenario 3: both daemons stopped and started, as init scripts do it, and the datapath itself taken away.

use super::stage;
use crate::node::BRIDGE;
use crate::ovs::Datapath;
use crate::runner::Scenarios;

pub(super) fn add(suite: Scenarios) -> Scenarios {
    suite
        .each("s03_stop_and_start_of_both", |case| {
            let mut stage = stage(case)?;
            let ovs = stage.node.ovs_mut();
            ovs.stop_vswitchd(false)?;
            ovs.stop_ovsdb();
            ovs.start_ovsdb()?;
            ovs.start_vswitchd()?;
            stage.strike()
        })
        .each("s03_killed_both", |case| {
            let mut stage = stage(case)?;
            let ovs = stage.node.ovs_mut();
            ovs.stop_ovsdb();
            ovs.kill_vswitchd()?;
            ovs.start_ovsdb()?;
            ovs.start_vswitchd()?;
            stage.strike()
        })
        .each("s03_ovs_ctl_restart", |case| {
            let mut stage = stage(case)?;
            stage.node.ovs_mut().ctl("restart")?;
            stage.strike()
        })
        // `ovs-ctl force-reload-kmod` has a suite of its own: while it unloads the module nobody else may use it.
        .some(
            "s03_datapath_deleted",
            |case| case.datapath == Datapath::Kernel,
            |case| {
                let mut stage = stage(case)?;
                stage.node.ovs_mut().reload_datapath()?;
                // The bridge's own device was deleted too; that it is up is its owner's business.
                stage.node.netns.sh(&format!("ip link set {BRIDGE} up"))?;
                stage.strike()
            },
        )
}

/// `ovs-ctl force-reload-kmod`, which unloads the module that all kernel datapaths of the machine need: to be run
/// one at a time, and with nothing beside it.
pub fn reload() -> Scenarios {
    Scenarios::new().parallel(1).some(
        "s03_force_reload_kmod",
        |case| case.datapath == Datapath::Kernel,
        |case| {
            let mut stage = stage(case)?;
            stage.node.ovs_mut().ctl("force-reload-kmod")?;
            stage.strike()
        },
    )
}
