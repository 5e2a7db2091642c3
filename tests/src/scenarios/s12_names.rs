//! Scenario 12: the name that a pod's port would get is taken already.

use anyhow::{Context, Result, ensure};

use super::stage;
use crate::netns::Netns;
use crate::node::BRIDGE;
use crate::runner::{Case, Scenarios};

pub(super) fn add(suite: Scenarios) -> Scenarios {
    suite
        .each("s12_name_taken_in_root", |case| {
            taken(
                case,
                "ip link add NAME type veth peer name other0",
                "ip link del NAME",
            )
        })
        .each("s12_stale_tap_of_the_name", |case| {
            taken(case, "ip tuntap add NAME mode tap", "ip link del NAME")
        })
        .each("s12_foreign_row_of_the_name", foreign_row)
        .each("s12_interface_names_of_15_characters", long_names)
}

/// ADD names what is in its way and changes nothing; out of the way, the same ADD works.
fn taken(case: Case, occupy: &str, free: &str) -> Result<()> {
    let stage = stage(case)?;
    let root = &stage.node.netns;
    let netns = Netns::new("taken")?;
    let cni = stage.node.cni("taken", netns.path())?;
    let name = name_of(&stage, &cni)?;
    root.sh(&occupy.replace("NAME", &name))?;
    let before = root.sh(&format!("ip -oneline link show {name} | cut -d' ' -f1-3"))?;
    let failure = cni.call("ADD")?.failure()?;
    ensure!(
        failure.msg.contains(&name),
        "the name {name} is not in {failure:?}"
    );
    netns
        .sh("! ip link show eth0 2>/dev/null")
        .context("an interface is left")?;
    cni.del().context("DEL after the failed ADD")?;
    let after = root.sh(&format!("ip -oneline link show {name} | cut -d' ' -f1-3"))?;
    ensure!(
        after == before,
        "the foreign device was touched: {before} became {after}"
    );
    root.sh(&free.replace("NAME", &name))?;
    cni.add().context("ADD once the name is free")?;
    cni.del()?;
    stage.strike()
}

fn foreign_row(case: Case) -> Result<()> {
    let stage = stage(case)?;
    let netns = Netns::new("taken")?;
    let cni = stage.node.cni("taken", netns.path())?;
    let name = name_of(&stage, &cni)?;
    let ovs = stage.node.ovs();
    ovs.vsctl(&[
        "add-port",
        BRIDGE,
        &name,
        "--",
        "set",
        "Interface",
        &name,
        "type=internal",
    ])?;
    let failure = cni.call("ADD")?.failure()?;
    ensure!(
        failure.msg.contains(&name),
        "the name {name} is not in {failure:?}"
    );
    cni.del().context("DEL after the failed ADD")?;
    let rows = ovs.vsctl(&["list-ports", BRIDGE])?;
    ensure!(rows.contains(&name), "the foreign row is gone");
    ovs.vsctl(&["del-port", BRIDGE, &name])?;
    stage.strike()
}

/// The kernel's limit, and two interfaces of one container.
fn long_names(case: Case) -> Result<()> {
    let stage = stage(case)?;
    let netns = Netns::new("long")?;
    let container = "c".repeat(64);
    for name in ["abcdefghijklmno", "abcdefghijklmnp"] {
        let cni = stage.node.cni(&container, netns.path())?.ifname(name);
        cni.add().with_context(|| format!("ADD of {name}"))?;
    }
    for name in ["abcdefghijklmno", "abcdefghijklmnp"] {
        netns.sh(&format!("ip link show {name}"))?;
        stage
            .node
            .cni(&container, netns.path())?
            .ifname(name)
            .del()?;
    }
    stage.strike()
}

/// The port name of a container, learnt by adding and deleting it once.
fn name_of(stage: &super::Stage, cni: &crate::cni::Cni) -> Result<String> {
    cni.add()?;
    let path = stage.node.state_dir().join("attachments/taken.eth0.json");
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(path)?)?;
    cni.del()?;
    let name = record["port_name"].as_str().context("no port_name")?;
    Ok(name.to_owned())
}
