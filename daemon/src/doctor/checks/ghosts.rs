//! Devices of ours in the node's namespace that do not belong there.

use std::collections::BTreeMap;

use attachment::names;
use attachment::record::{Attachment, Phase, Port};

use super::super::finding;
use super::super::scene::{Scene, pod_name};
use crate::report::{Finding, Severity};

pub const NAME: &str = "ghosts";

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    let records: BTreeMap<&str, &Attachment> = scene
        .records
        .iter()
        .map(|record| (record.port_name.as_str(), record))
        .collect();
    for link in &scene.links {
        if !names::is_port_name(&link.name) {
            continue;
        }
        match records.get(link.name.as_str()) {
            None => found.push(finding(
                NAME,
                Severity::Warning,
                &link.name,
                "this device has a name of berth's, but no attachment record owns it",
                format!(
                    "if no pod is just starting: ip link delete {0} (for a port of Open vSwitch: ovs-vsctl del-port {0})",
                    link.name
                ),
            )),
            Some(record) if belongs_in_pod(record) => found.push(finding(
                NAME,
                Severity::Error,
                &link.name,
                format!(
                    "Open vSwitch has made this port anew in the node's namespace, and {} is without it",
                    pod_name(record)
                ),
                "berthd moves it into the pod within milliseconds: if it stays, see berthctl status",
            )),
            Some(_) => {}
        }
    }
}

/// Whether the device that carries the port's name lives in the pod.
fn belongs_in_pod(record: &Attachment) -> bool {
    record.phase == Phase::Ready && matches!(record.port, Port::Rename(_) | Port::Bond(_))
}
