//! The daemon answers, and succeeds at what it does.

use super::super::finding;
use super::super::scene::Scene;
use crate::report::{Finding, Severity};

pub const NAME: &str = "daemon";

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    if !scene.daemon {
        found.push(finding(
            NAME,
            Severity::Error,
            scene.state_dir.join("berthd.sock").display().to_string(),
            "berthd does not answer: pods start and stop, but a port that Open vSwitch loses stays lost",
            "start berthd (or its DaemonSet pod), or give --socket if its --state-dir is another one",
        ));
    }
    for (subject, error) in &scene.failures {
        found.push(finding(
            NAME,
            Severity::Error,
            subject,
            format!("berthd keeps failing at it: {error}"),
            "remove the cause; berthd tries again by itself",
        ));
    }
}
