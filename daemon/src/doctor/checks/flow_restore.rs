//! Nobody forgot flow-restore-wait.

use super::super::finding;
use super::super::scene::Scene;
use crate::report::{Finding, Severity};

pub const NAME: &str = "flow-restore-wait";

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    for (socket, switch) in scene.answering() {
        if switch
            .system
            .as_ref()
            .is_some_and(|s| s.flow_restore_wait())
        {
            found.push(finding(
                NAME,
                Severity::Error,
                socket.display().to_string(),
                "other_config:flow-restore-wait is true: ovs-vswitchd installs no flows and all traffic of its bridges stops",
                "after an interrupted restart: ovs-vsctl remove Open_vSwitch . other_config flow-restore-wait",
            ));
        }
    }
}
