//! ovs-vswitchd runs where OVSDB answers.

use super::super::finding;
use super::super::scene::Scene;
use crate::report::{Finding, Severity};

pub const NAME: &str = "vswitchd";

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    for (socket, switch) in scene.answering() {
        if switch.vswitchd.is_none() && !switch.bridges.is_empty() {
            found.push(finding(
                NAME,
                Severity::Error,
                socket.display().to_string(),
                "OVSDB answers, but ovs-vswitchd does not run: bridges forward nothing new",
                "start ovs-vswitchd (systemctl restart openvswitch-switch) and read its log",
            ));
        }
    }
}
