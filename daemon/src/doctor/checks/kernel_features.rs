//! What the port strategies need of the kernel.

use attachment::Strategy;

use super::super::finding;
use super::super::scene::Scene;
use crate::report::{Finding, Severity};

pub const NAME: &str = "kernel-features";

/// Feature, the strategy that needs it, and what else can be done.
const FEATURES: [(&str, &[Strategy], &str); 4] = [
    (
        "veth",
        &[Strategy::Routed, Strategy::Veth],
        "load the module veth: without it neither routed ports nor the strategy veth work",
    ),
    (
        "bonding",
        &[Strategy::Bond],
        "load the module bonding, or leave \"port\" at auto, which then takes macvlan",
    ),
    (
        "macvlan",
        &[Strategy::Macvlan],
        "load the module macvlan, or leave \"port\" at auto, which then takes bond",
    ),
    (
        "tun",
        &[],
        "load the module tun: the userspace datapath of Open vSwitch makes its internal ports with it",
    ),
];

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    for (feature, strategies, advice) in FEATURES {
        let Some(answer) = scene.kernel.missing.get(feature) else {
            continue;
        };
        let users = scene
            .records
            .iter()
            .filter(|record| strategies.contains(&record.strategy()))
            .count();
        let severity = match (users, feature) {
            (0, "bonding" | "macvlan") => Severity::Note,
            (0, _) => Severity::Warning,
            _ => Severity::Error,
        };
        let problem = match users {
            0 => format!("the kernel has no {feature}: {answer}"),
            _ => format!(
                "the kernel has no {feature} ({answer}), but {users} attachments were made with it"
            ),
        };
        found.push(finding(NAME, severity, feature, problem, advice));
    }
    if let Some(reason) = &scene.kernel.untried {
        found.push(finding(
            NAME,
            Severity::Note,
            "kernel",
            format!("its features could not be tried: {reason}"),
            "run the doctor as root",
        ));
    }
}
