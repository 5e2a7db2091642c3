//! Namespace files that name no namespace, or whose mount does not reach here.

use super::super::finding;
use super::super::scene::{Pod, Scene, pod_name};
use crate::report::{Finding, Severity};

pub const NAME: &str = "namespaces";

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    for record in &scene.records {
        let path = record.netns.path.display();
        match scene.pods.get(&record.key()) {
            Some(Pod::NotMounted) => found.push(finding(
                NAME,
                Severity::Error,
                pod_name(record),
                format!("{path} is there, but no namespace is mounted on it as seen from here"),
                "give berthd's container the directory with mountPropagation: HostToContainer; on the host itself the pod is dead",
            )),
            Some(Pod::Unseen(reason)) => found.push(finding(
                NAME,
                Severity::Error,
                pod_name(record),
                format!("{path} cannot be looked into: {reason}"),
                "run berthd as root in the host's pid and mount namespaces, or with the directory mounted",
            )),
            _ => {}
        }
    }
    for path in &scene.dead_namespaces {
        if scene.records.iter().any(|r| r.netns.path == *path) {
            continue;
        }
        found.push(finding(
            NAME,
            Severity::Note,
            path.display().to_string(),
            "the file names no namespace: what was mounted on it is gone",
            "harmless; remove the file if no runtime owns it",
        ));
    }
}
