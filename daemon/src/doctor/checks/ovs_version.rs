//! Versions of Open vSwitch with bugs that matter here.

use super::super::finding;
use super::super::scene::Scene;
use crate::report::{Finding, Severity};

pub const NAME: &str = "ovs-version";

/// First patch of each release series in which `link_state` is right for ports in another namespace.
const LINK_STATE_FIXED: [(u32, u32, u32); 5] =
    [(3, 3, 9), (3, 4, 6), (3, 5, 4), (3, 6, 3), (3, 7, 1)];

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    for (socket, switch) in scene.answering() {
        let version = switch
            .system
            .as_ref()
            .and_then(|s| s.ovs_version.as_deref());
        if let Some(version) = version
            && has_wrong_link_state(version)
        {
            found.push(finding(
                NAME,
                Severity::Note,
                socket.display().to_string(),
                format!("Open vSwitch {version} shows a wrong link_state for ports that were moved into a pod"),
                "do not go by link_state in ovs-vsctl (berth does not); fixed in 3.3.9, 3.4.6, 3.5.4, 3.6.3 and 3.7.1",
            ));
        }
    }
}

/// Whether the bug is in this version; a version that cannot be read counts as good.
fn has_wrong_link_state(version: &str) -> bool {
    let mut parts = version.split(['.', '-', '+']).map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else {
        return false;
    };
    let patch = parts.next().and_then(Result::ok).unwrap_or(0);
    let series = LINK_STATE_FIXED
        .iter()
        .find(|(ma, mi, _)| (*ma, *mi) == (major, minor));
    match series {
        Some((.., fixed)) => patch < *fixed,
        None => (major, minor) < (3, 3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_and_without_the_bug() {
        for bad in ["2.17.9", "3.1.0", "3.3.8", "3.3.0-1ubuntu", "3.7.0", "3.6"] {
            assert!(has_wrong_link_state(bad), "{bad}");
        }
        for good in ["3.3.9", "3.7.1", "3.8.0", "4.0.0", "", "unknown"] {
            assert!(!has_wrong_link_state(good), "{good}");
        }
    }
}
