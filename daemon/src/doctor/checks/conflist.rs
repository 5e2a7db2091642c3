//! The runtime picks berth's configuration.

use super::super::finding;
use super::super::scene::Scene;
use crate::report::{Finding, Severity};

pub const NAME: &str = "conflist";

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    for conf in &scene.confs {
        if let Err(error) = &conf.content {
            found.push(finding(
                NAME,
                Severity::Warning,
                &conf.file,
                format!("the runtime cannot use this configuration: {error}"),
                "correct or remove it",
            ));
        }
    }
    let Some(berth) = scene.confs.iter().find(|conf| conf.has_berth()) else {
        return;
    };
    // Runtimes take the first usable file by name.
    let first = scene.confs.iter().find(|conf| conf.content.is_ok());
    if let Some(first) = first
        && !first.has_berth()
    {
        found.push(finding(
            NAME,
            Severity::Warning,
            &berth.file,
            format!(
                "the runtime takes {} instead, which comes first by name and has no berth in it",
                first.file
            ),
            format!("rename one of them so that {} comes first", berth.file),
        ));
    }
    if let Ok(network) = &berth.content
        && let Some(place) = network.types.iter().position(|t| t == "berth")
        && let Some(meta) = network.types[..place].iter().find(|t| {
            matches!(
                t.as_str(),
                "bandwidth" | "portmap" | "firewall" | "tuning" | "sbr"
            )
        })
    {
        found.push(finding(
            NAME,
            Severity::Error,
            &berth.file,
            format!("in network {} the plugin {meta} comes before berth and finds no interface to work on",
                network.name),
            "put berth before it in the list",
        ));
    }
}
