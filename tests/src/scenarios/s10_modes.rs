//! Scenario 10: the bridge's fail mode, and a `flow-restore-wait` that somebody left set.

use anyhow::{Context, Result, ensure};

use super::{LIMIT, stage};
use crate::node::{BRIDGE, Node};
use crate::runner::{Case, Scenarios};
use crate::traffic::PingTrain;
use crate::wait;

pub(super) fn add(suite: Scenarios) -> Scenarios {
    suite
        .each("s10_standalone", |case| fail_mode(case, "standalone"))
        .each("s10_secure", |case| fail_mode(case, "secure"))
        .each("s10_flow_restore_wait_left_true", flow_restore_wait)
}

/// In secure mode flows are the operator's: without one nothing passes, with it the restart is as always.
fn fail_mode(case: Case, mode: &str) -> Result<()> {
    let mut node = Node::switched(case.datapath, case.strategy)?;
    node.ovs().vsctl(&["set-fail-mode", BRIDGE, mode])?;
    node.start_berthd()?;
    let (a, b) = (node.add_pod("a")?, node.add_pod("b")?);
    for round in ["before", "after"] {
        if mode == "secure" {
            let answers = PingTrain::answers_within(&a.netns, &b.netns, b.v4())?;
            ensure!(
                answers == 0,
                "{round}: a secure bridge without flows let {answers} packets pass"
            );
            node.ovs().ofctl(&["add-flow", BRIDGE, "actions=NORMAL"])?;
        }
        node.assert_whole(&a, &b).context(round)?;
        if round == "before" {
            node.ovs_mut().kill_vswitchd()?;
            node.ovs_mut().start_vswitchd()?;
        }
    }
    for pod in [a, b] {
        node.del_pod(pod)?;
    }
    node.stop_berthd()?;
    node.assert_clean()
}

/// vswitchd forwards nothing then: no repair can help, none is tried in a loop, and `doctor` says what to do.
fn flow_restore_wait(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    stage.node.ovs_mut().kill_vswitchd()?;
    let wait = "other_config:flow-restore-wait=true";
    stage
        .node
        .ovs()
        .vsctl(&["--no-wait", "set", "Open_vSwitch", ".", wait])?;
    stage.node.ovs_mut().start_vswitchd()?;
    wait::until_ok(LIMIT, "doctor to name flow-restore-wait", || {
        let output = stage.node.berthctl(&["doctor"])?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(text.contains("flow-restore-wait"), "{text}");
        ensure!(
            output.status.code() == Some(1),
            "doctor exits with {}",
            output.status
        );
        Ok(())
    })?;
    let ovs = stage.node.ovs();
    ovs.vsctl(&[
        "remove",
        "Open_vSwitch",
        ".",
        "other_config",
        "flow-restore-wait",
    ])?;
    stage.strike()
}
