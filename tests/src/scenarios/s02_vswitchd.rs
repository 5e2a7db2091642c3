//! Scenario 2: vswitchd ends, gracefully, with clean-up, killed, in a loop, and again in the middle of a repair.

use anyhow::Result;

use super::stage;
use crate::node::BRIDGE;
use crate::runner::Scenarios;

/// Crashes in a row: enough that a repair begun after one meets the next.
const CRASHES: usize = 5;

pub(super) fn add(suite: Scenarios) -> Scenarios {
    suite
        .each("s02_graceful_exit", |case| {
            let mut stage = stage(case)?;
            stage.node.ovs_mut().stop_vswitchd(false)?;
            stage.node.ovs_mut().start_vswitchd()?;
            stage.strike()
        })
        .each("s02_exit_with_cleanup", |case| {
            let mut stage = stage(case)?;
            stage.node.ovs_mut().stop_vswitchd(true)?;
            stage.node.ovs_mut().start_vswitchd()?;
            // The bridge's own device was deleted too; that it is up is its owner's business.
            stage.node.netns.sh(&format!("ip link set {BRIDGE} up"))?;
            stage.strike()
        })
        .each("s02_sigkill", |case| {
            let mut stage = stage(case)?;
            stage.node.ovs_mut().kill_vswitchd()?;
            stage.node.ovs_mut().start_vswitchd()?;
            stage.strike()
        })
        .each("s02_crash_loop", |case| {
            let mut stage = stage(case)?;
            for _ in 0..CRASHES {
                stage.node.ovs_mut().kill_vswitchd()?;
                stage.node.ovs_mut().start_vswitchd()?;
            }
            stage.strike()
        })
        .each("s02_killed_again_in_the_middle_of_a_repair", killed_again)
}

/// Ten pods, so that the second crash meets a repair under way: it comes as soon as the first pod is back. Three
/// where each ADD takes the ports of all others away, and each repair takes a second.
fn killed_again(case: crate::runner::Case) -> Result<()> {
    let mut stage = stage(case)?;
    let count = if stage.node.loses_ports() { 3 } else { 10 };
    let others: Vec<_> = (0..count)
        .map(|n| stage.node.add_pod(&format!("c{n}")))
        .collect::<Result<_>>()?;
    stage.node.ovs_mut().kill_vswitchd()?;
    stage.node.ovs_mut().start_vswitchd()?;
    stage.session.await_progress(super::LIMIT)?;
    stage.node.ovs_mut().kill_vswitchd()?;
    stage.node.ovs_mut().start_vswitchd()?;
    for pod in &others {
        stage.node.await_whole(pod)?;
    }
    for pod in others {
        stage.node.del_pod(pod)?;
    }
    stage.strike()
}
