//! Scenario 14: the pod's interface is down when the port is lost, and when it is moved back: down it stays,
//! and up it comes whole.

use anyhow::{Context, Result};

use super::stage;
use crate::runner::{Case, Scenarios};

pub(super) fn add(suite: Scenarios) -> Scenarios {
    suite.each("s14_moved_while_up_and_while_down", moved)
}

/// The fresh port is set up, or down, in the root namespace while the daemon is about to take it.
fn moved(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    let port = stage.b.port(&stage.node)?;
    for state in ["up", "down"] {
        stage.node.stop_berthd()?;
        stage.node.ovs_mut().kill_vswitchd()?;
        stage.node.ovs_mut().start_vswitchd()?;
        // Not there for a strategy that needs no move, which is then simply not disturbed.
        stage
            .node
            .netns
            .sh(&format!("ip link set {port} {state} 2>/dev/null || true"))?;
        stage.node.start_berthd()?;
        stage
            .node
            .assert_whole(&stage.a, &stage.b)
            .with_context(|| format!("moved {state}"))?;
    }
    stage.strike()
}
