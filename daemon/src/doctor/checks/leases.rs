//! Leases of our networks that no attachment holds.

use std::path::Path;

use super::super::finding;
use super::super::scene::Scene;
use crate::confs;
use crate::report::{Finding, Severity};

pub const NAME: &str = "leases";

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    let networks = confs::networks(&scene.confs, &scene.records, Path::new(""));
    for lease in &scene.leases {
        let held = scene.records.iter().any(|record| {
            record.container_id == lease.container_id
                && (lease.ifname.is_empty() || record.ifname == lease.ifname)
        });
        if held || !networks.iter().any(|n| n.name == lease.network) {
            continue;
        }
        let advice = if lease.taken_at < scene.boot {
            "it is older than the last boot: berthd releases it when it starts"
        } else {
            "the runtime's DEL or GC releases it; if its pod is surely gone, remove the file"
        };
        found.push(finding(
            NAME,
            Severity::Warning,
            format!("{} in network {}", lease.address, lease.network),
            format!(
                "leased to container {}, which has no attachment record: the address is lost to new pods",
                lease.container_id
            ),
            advice,
        ));
    }
}
