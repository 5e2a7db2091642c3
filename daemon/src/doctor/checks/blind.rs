//! What the doctor could not look at: silence there is no good sign.

use super::super::finding;
use super::super::scene::Scene;
use crate::report::{Finding, Severity};

pub const NAME: &str = "blind";

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    for (what, reason) in &scene.blind {
        found.push(finding(
            NAME,
            Severity::Warning,
            what,
            format!("could not be looked at: {reason}"),
            "run as root on the node",
        ));
    }
}
