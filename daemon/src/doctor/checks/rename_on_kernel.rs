//! An explicit `rename` on a kernel datapath is obeyed, and costs outages.

use attachment::record::{Datapath, Port};

use super::super::finding;
use super::super::scene::{Scene, pod_name};
use crate::report::{Finding, Severity};

pub const NAME: &str = "rename-on-kernel";

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    for record in &scene.records {
        if let Port::Rename(port) = &record.port
            && port.datapath == Datapath::Kernel
        {
            found.push(finding(
                NAME,
                Severity::Warning,
                pod_name(record),
                format!(
                    "its port is renamed on bridge {} with the kernel datapath: each change of the switch takes it away until berthd puts it back",
                    port.bridge
                ),
                "set \"port\": \"auto\", \"bond\" or \"macvlan\" in the CNI configuration and restart the pod",
            ));
        }
    }
}
