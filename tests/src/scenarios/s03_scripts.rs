//! Scenario 3: both daemons stopped and started, as init scripts do it, and the datapath itself taken away.

use super::stage;
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
        // What `ovs-ctl force-reload-kmod` does to the switch, but for the module itself, which others use.
        .some(
            "s03_datapath_deleted",
            |case| case.datapath == Datapath::Kernel,
            |case| {
                let mut stage = stage(case)?;
                stage.node.ovs_mut().reload_datapath()?;
                stage.strike()
            },
        )
}
