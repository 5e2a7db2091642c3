//! The kernel datapath has its module.

use ovs::Datapath;

use super::super::finding;
use super::super::scene::Scene;
use crate::report::{Finding, Severity};

pub const NAME: &str = "openvswitch-module";

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    if scene.kernel.openvswitch {
        return;
    }
    for (_, switch) in scene.answering() {
        for bridge in &switch.bridges {
            if bridge.datapath == Datapath::Kernel {
                found.push(finding(
                    NAME,
                    Severity::Error,
                    format!("bridge {}", bridge.name),
                    "it has the kernel datapath, but the kernel module openvswitch is not loaded",
                    "modprobe openvswitch (package linux-modules-extra on some systems), or set datapath_type=netdev on the bridge",
                ));
            }
        }
    }
}
