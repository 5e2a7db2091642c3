//! What is known to go wrong on a node, looked for one by one; every finding says what to do.
//!
//! [`gather`] takes one look at the node, and each file of [`checks`] is a pure function from that [`Scene`] to its
//! findings. The daemon answers with it on `/v1/doctor`; `berthctl` runs the same when no daemon answers.

mod checks;
mod gather;
mod scene;

use std::path::PathBuf;

use crate::board::Board;
use crate::report::{DoctorReport, Finding, Severity};

pub use scene::{KernelScene, Lease, Pod, Scene, SwitchScene};

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Directory of the attachment records.
    pub state_dir: PathBuf,
    /// The OVSDB socket of the daemon; records may name others.
    pub ovsdb: PathBuf,
    /// Directory of the address leases.
    pub ipam_dir: PathBuf,
    /// Directory of the runtime's CNI configurations.
    pub cni_dir: PathBuf,
}

/// Looks at the node. Without a board the report is one of `berthctl` alone.
pub async fn examine(scope: &Scope, board: Option<&Board>) -> DoctorReport {
    let scene = gather::scene(scope, board).await;
    let mut findings = Vec::new();
    for (_, check) in checks::ALL {
        check(&scene, &mut findings);
    }
    DoctorReport::new(
        if board.is_some() {
            "daemon"
        } else {
            "berthctl"
        },
        checks::ALL
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect(),
        findings,
    )
}

/// A finding with its five texts.
fn finding(
    check: &str,
    severity: Severity,
    subject: impl Into<String>,
    problem: impl Into<String>,
    advice: impl Into<String>,
) -> Finding {
    Finding {
        check: check.to_owned(),
        severity,
        subject: subject.into(),
        problem: problem.into(),
        advice: advice.into(),
    }
}
