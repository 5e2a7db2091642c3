//! OVSDB answers wherever an attachment needs it.

use super::super::finding;
use super::super::scene::Scene;
use crate::report::{Finding, Severity};

pub const NAME: &str = "ovsdb";

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    for (socket, switch) in &scene.switches {
        let users = scene
            .records
            .iter()
            .filter_map(|record| record.port.switch())
            .filter(|port| port.socket == *socket)
            .count();
        if let Err(error) = switch {
            let (severity, effect) = if users == 0 {
                (Severity::Note, "no attachment needs it".to_owned())
            } else {
                (
                    Severity::Error,
                    format!(
                        "{users} attachments are on it: none can be added, removed or repaired"
                    ),
                )
            };
            found.push(finding(
                NAME,
                severity,
                socket.display().to_string(),
                format!("OVSDB does not answer ({error}); {effect}"),
                "start ovsdb-server (systemctl status openvswitch-switch), or set --ovsdb to its socket",
            ));
        }
        if users > 0 && *socket != scene.ovsdb && scene.daemon {
            found.push(finding(
                NAME,
                Severity::Warning,
                socket.display().to_string(),
                format!(
                    "{users} attachments are on this switch, but berthd follows {}: their repair waits for the next full pass",
                    scene.ovsdb.display()
                ),
                "start berthd with --ovsdb set to this socket, or correct socket_file in the CNI configuration",
            ));
        }
    }
}
