//! Scenario 11: pods that end in disorder: namespace first, DEL twice, DEL without a record.

use anyhow::{Context, Result, ensure};

use super::{LIMIT, stage};
use crate::node::BRIDGE;
use crate::runner::{Case, Scenarios};
use crate::wait;

pub(super) fn add(suite: Scenarios) -> Scenarios {
    suite
        .each("s11_netns_gone_before_del", netns_first)
        .each("s11_del_twice", twice)
        .each("s11_del_without_record", without_record)
}

/// No row and no ghost in the root namespace remains, and the neighbours' traffic goes on.
fn netns_first(case: Case) -> Result<()> {
    let stage = stage(case)?;
    let pod = stage.node.add_pod("gone")?;
    let port = pod.port(&stage.node)?;
    let cni = pod.cni.clone();
    drop(pod);
    cni.without("CNI_NETNS")
        .del()
        .context("DEL after the namespace")?;
    gone(&stage, &port)?;
    stage.strike()
}

fn twice(case: Case) -> Result<()> {
    let stage = stage(case)?;
    let pod = stage.node.add_pod("twice")?;
    let cni = pod.cni.clone();
    cni.del()?;
    cni.del().context("the second DEL")?;
    drop(pod);
    cni.del().context("the third DEL, without a namespace")?;
    stage.strike()
}

/// The names follow from the container id: nothing is left although the record is lost.
fn without_record(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    let pod = stage.node.add_pod("lost")?;
    let port = pod.port(&stage.node)?;
    stage.node.stop_berthd()?;
    let name = format!("{}.eth0.json", pod.container);
    std::fs::remove_file(stage.node.state_dir().join("attachments").join(name))?;
    pod.cni.del().context("DEL without a record")?;
    pod.netns
        .sh("! ip link show eth0 2>/dev/null")
        .context("eth0 is left")?;
    gone(&stage, &port)?;
    stage.node.start_berthd()?;
    stage.strike()
}

fn gone(stage: &super::Stage, port: &str) -> Result<()> {
    wait::until_ok(LIMIT, "row and device to be gone", || {
        let rows = stage.node.ovs().vsctl(&["list-ports", BRIDGE])?;
        ensure!(!rows.contains(port), "row {port} is left");
        let links = stage.node.netns.sh("ip -oneline link")?;
        ensure!(!links.contains(port), "device {port} is left: {links}");
        Ok(())
    })
}
