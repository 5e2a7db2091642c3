//! Scenario 7: an operator deletes, adds and changes ports by hand.

use anyhow::{Result, ensure};

use super::{LIMIT, Stage, stage};
use crate::node::BRIDGE;
use crate::runner::{Case, Scenarios};
use crate::wait;

pub(super) fn add(suite: Scenarios) -> Scenarios {
    suite
        .each("s07_port_deleted_by_hand", deleted)
        .each("s07_foreign_port_is_left_alone", foreign)
        .each("s07_ofport_request_changed", ofport)
        .each("s07_interface_type_changed", retyped)
}

fn ofport_of(stage: &Stage, port: &str) -> Result<String> {
    stage
        .node
        .ovs()
        .vsctl(&["get", "Interface", port, "ofport"])
}

/// The row comes back under its old OpenFlow number, and with it the pod.
fn deleted(case: Case) -> Result<()> {
    let stage = stage(case)?;
    let port = stage.b.port(&stage.node)?;
    let before = ofport_of(&stage, &port)?;
    stage.node.ovs().vsctl(&["del-port", BRIDGE, &port])?;
    wait::until_ok(LIMIT, "the port to be back under its number", || {
        let now = ofport_of(&stage, &port)?;
        ensure!(now == before, "was {before}, is {now}");
        Ok(())
    })?;
    stage.strike()
}

/// A port that looks like ours by name but does not carry our mark outlives several passes of the daemon.
fn foreign(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    let name = "brt0123456789ab";
    let ovs = stage.node.ovs();
    ovs.vsctl(&[
        "add-port",
        BRIDGE,
        name,
        "--",
        "set",
        "Interface",
        name,
        "type=internal",
    ])?;
    stage.node.stop_berthd()?;
    stage.node.start_berthd()?;
    let pod = stage.node.add_pod("other")?;
    stage.node.del_pod(pod)?;
    let rows = stage.node.ovs().vsctl(&["list-ports", BRIDGE])?;
    ensure!(rows.contains(name), "a foreign port was deleted: {rows}");
    stage.node.ovs().vsctl(&["del-port", BRIDGE, name])?;
    stage.strike()
}

/// Another number asked for by hand is the operator's wish: vswitchd renumbers, traffic goes on.
fn ofport(case: Case) -> Result<()> {
    let stage = stage(case)?;
    let port = stage.b.port(&stage.node)?;
    stage
        .node
        .ovs()
        .vsctl(&["set", "Interface", &port, "ofport_request=777"])?;
    wait::until_ok(LIMIT, "the new number", || {
        let now = ofport_of(&stage, &port)?;
        ensure!(now == "777", "is {now}");
        Ok(())
    })?;
    stage.strike()
}

/// A type that vswitchd cannot make takes the device away; put right, the pod is whole again.
fn retyped(case: Case) -> Result<()> {
    let stage = stage(case)?;
    let port = stage.b.port(&stage.node)?;
    let ovs = stage.node.ovs();
    let right = ovs.vsctl(&["get", "Interface", &port, "type"])?;
    ovs.vsctl(&["--no-wait", "set", "Interface", &port, "type=patch"])?;
    wait::until_ok(
        LIMIT,
        "vswitchd to refuse the type, or the daemon to mend it",
        || {
            let now = ovs.vsctl(&["get", "Interface", &port, "type", "ofport"])?;
            ensure!(now.contains("-1") || now.starts_with(&right), "{now}");
            Ok(())
        },
    )?;
    ovs.vsctl(&[
        "--no-wait",
        "set",
        "Interface",
        &port,
        &format!("type={right}"),
    ])?;
    stage.strike()
}
