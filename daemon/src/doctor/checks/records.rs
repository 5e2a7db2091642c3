//! Records that cannot be read, or whose pod is gone.

use attachment::plan::ADDING_STALE;
use attachment::record::Phase;

use super::super::finding;
use super::super::scene::{Pod, Scene, pod_name};
use crate::report::{Finding, Severity};

pub const NAME: &str = "records";

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    for (path, problem) in &scene.broken {
        found.push(finding(
            NAME,
            Severity::Error,
            path,
            format!("this attachment record cannot be used: {problem}"),
            "nobody repairs this attachment: restart its pod, then remove the file",
        ));
    }
    for record in &scene.records {
        let pod = scene.pods.get(&record.key());
        let (problem, advice) = match (pod, record.phase) {
            (Some(Pod::Gone | Pod::Replaced), _) => (
                "its network namespace is gone, but DEL has not come for it",
                "the runtime owes a DEL or a GC; restarting berthd cleans it up as well",
            ),
            (_, Phase::Adding) if scene.wall.saturating_sub(record.created) >= ADDING_STALE => (
                "its ADD began long ago and never ended",
                "the runtime owes a DEL; berthd takes down what is left of it",
            ),
            _ => continue,
        };
        found.push(finding(
            NAME,
            Severity::Warning,
            pod_name(record),
            problem,
            advice,
        ));
    }
}
