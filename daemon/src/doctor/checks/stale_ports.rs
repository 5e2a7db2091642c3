//! Rows of ours in OVSDB that no record owns.

use std::collections::BTreeSet;

use attachment::names;

use super::super::finding;
use super::super::scene::Scene;
use crate::report::{Finding, Severity};

pub const NAME: &str = "stale-ports";

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    let owned: BTreeSet<_> = scene.records.iter().map(|r| r.port_name.as_str()).collect();
    let state_dir = scene.state_dir.display().to_string();
    for (_, switch) in scene.answering() {
        for row in &switch.owned {
            let ours = row.external_ids().get(names::STATE_DIR_KEY) == Some(&state_dir);
            if !ours || owned.contains(row.name()) {
                continue;
            }
            let (severity, advice) = if scene.broken.is_empty() {
                (
                    Severity::Warning,
                    format!(
                        "berthd deletes it at its second look; by hand: ovs-vsctl del-port {} {}",
                        row.bridge,
                        row.name()
                    ),
                )
            } else {
                (
                    Severity::Warning,
                    "it may belong to a record that cannot be read: see to those first".to_owned(),
                )
            };
            found.push(finding(
                NAME,
                severity,
                format!("port {} on {}", row.name(), row.bridge),
                "it is marked as a port of berth, but no attachment record owns it",
                advice,
            ));
        }
    }
}
