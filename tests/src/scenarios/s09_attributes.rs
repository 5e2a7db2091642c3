//! Scenario 9: what hangs on a port must still hang on it after vswitchd was killed: VLAN, MAC, MTU, ids, mirror,
//! QoS, policing, NO_FLOOD.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{LIMIT, Stage, stage};
use crate::node::{BRIDGE, Node};
use crate::runner::{Case, Scenarios};
use crate::traffic::{PingTrain, TcpSession};
use crate::wait;

pub(super) fn add(suite: Scenarios) -> Scenarios {
    suite
        .each("s09_vlan_isolates_before_and_after", vlan)
        .each("s09_mac_and_mtu", mac_and_mtu)
        .each("s09_row_attributes", row_attributes)
        .each("s09_mirror_sees_packets", mirror)
        .each("s09_no_flood", no_flood)
}

/// Pods of one VLAN talk, those of two do not, and no restart opens the door.
fn vlan(case: Case) -> Result<()> {
    let mut node = Node::switched(case.datapath, case.strategy)?;
    node.start_berthd()?;
    let mut of_vlan = |hint: &str, vlan: u16| {
        node.config_mut()["vlan"] = json!(vlan);
        node.add_pod(hint)
    };
    let (a, b, other) = (of_vlan("a", 10)?, of_vlan("b", 10)?, of_vlan("other", 20)?);
    let isolated = |node: &Node| -> Result<()> {
        node.assert_whole(&a, &b)?;
        ensure!(
            PingTrain::answers_within(&a.netns, &other.netns, other.v4())? == 0,
            "a packet crossed from VLAN 10 to 20"
        );
        Ok(())
    };
    isolated(&node).context("before")?;
    node.ovs_mut().kill_vswitchd()?;
    node.ovs_mut().start_vswitchd()?;
    node.await_whole(&other)?;
    isolated(&node).context("after")?;
    for pod in [a, b, other] {
        node.del_pod(pod)?;
    }
    node.stop_berthd()?;
    node.assert_clean()
}

/// A MAC and an MTU asked for are the pod's before and after, and a packet of that size passes whole.
fn mac_and_mtu(case: Case) -> Result<()> {
    let mut node = Node::switched(case.datapath, case.strategy)?;
    node.start_berthd()?;
    node.config_mut()["mtu"] = json!(1342);
    node.config_mut()["capabilities"] = json!({"mac": true});
    node.config_mut()["runtimeConfig"] = json!({"mac": "02:00:5e:00:53:01"});
    let a = node.add_pod("a")?;
    ensure!(a.mac == "02:00:5e:00:53:01", "the result says {}", a.mac);
    if let Some(config) = node.config_mut().as_object_mut() {
        config.remove("runtimeConfig");
    }
    let b = node.add_pod("b")?;
    for round in ["before", "after"] {
        node.assert_whole(&a, &b).context(round)?;
        for pod in [&a, &b] {
            let look = pod.look()?;
            ensure!(look["mtu"] == 1342, "{round}: {look}");
        }
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

/// The columns of the rows, and what refers to the rows.
fn row_attributes(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    let port = stage.b.port(&stage.node)?;
    let ovs = stage.node.ovs();
    ovs.vsctl(&[
        "--",
        "set",
        "Port",
        &port,
        "qos=@q",
        "--",
        "--id=@q",
        "create",
        "QoS",
        "type=linux-htb",
        "other-config:max-rate=900000000",
        "--",
        "--id=@p",
        "get",
        "Port",
        &port,
        "--",
        "--id=@m",
        "create",
        "Mirror",
        "name=watch",
        "select-src-port=@p",
        "--",
        "set",
        "Bridge",
        BRIDGE,
        "mirrors=@m",
        "--",
        "set",
        "Interface",
        &port,
        "ingress_policing_rate=800000",
        "external_ids:theirs=kept",
    ])?;
    // Where each change of the switch loses a port: once it is back.
    let before = wait::until_some(LIMIT, "the port to be there", || {
        let now = attributes(&stage, &port).ok()?;
        (!now.contains(": -1")).then_some(now)
    })?;
    ensure!(before.contains("iface-id"), "no iface-id: {before}");
    stage.node.ovs_mut().kill_vswitchd()?;
    stage.node.ovs_mut().start_vswitchd()?;
    wait::until_ok(LIMIT, "the attributes to be as before", || {
        let now = attributes(&stage, &port)?;
        ensure!(now == before, "was {before}\nis {now}");
        Ok(())
    })?;
    stage.node.ovs().vsctl(&[
        "clear", "Bridge", BRIDGE, "mirrors", "--", "clear", "Port", &port, "qos", "--", "--all",
        "destroy", "QoS",
    ])?;
    stage.strike()
}

/// A mirror of a pod's port goes on showing its packets after the port was lost and put back.
fn mirror(case: Case) -> Result<()> {
    const WATCH: &str = "watch0";
    let mut stage = stage(case)?;
    let port = stage.b.port(&stage.node)?;
    #[rustfmt::skip]
    let commands = [
        "add-port", BRIDGE, WATCH, "--", "set", "Interface", WATCH, "type=internal", "--",
        "--id=@p", "get", "Port", &port, "--", "--id=@w", "get", "Port", WATCH, "--",
        "--id=@m", "create", "Mirror", "name=watch", "select-src-port=@p", "select-dst-port=@p", "output-port=@w", "--",
        "set", "Bridge", BRIDGE, "mirrors=@m",
    ];
    stage.node.ovs().vsctl(&commands)?;
    stage.node.netns.sh(&format!("ip link set {WATCH} up"))?;
    let seen = |node: &Node| -> Result<u64> {
        let links = node
            .netns
            .ip_json(&format!("-statistics link show dev {WATCH}"))?;
        links[0]["stats64"]["rx"]["packets"]
            .as_u64()
            .with_context(|| format!("no counter in {links}"))
    };
    for round in ["before", "after"] {
        stage.session.await_progress(LIMIT).context(round)?;
        let from = seen(&stage.node)?;
        wait::until_ok(LIMIT, "the mirror to show packets", || {
            let now = seen(&stage.node)?;
            ensure!(now >= from + 10, "{round}: {from}, then {now}");
            Ok(())
        })?;
        if round == "before" {
            stage.node.ovs_mut().kill_vswitchd()?;
            stage.node.ovs_mut().start_vswitchd()?;
            stage.node.await_whole(&stage.b)?;
            // The watcher's own device may be a new one.
            stage.node.netns.sh(&format!("ip link set {WATCH} up"))?;
        }
    }
    let undo = [
        "clear", "Bridge", BRIDGE, "mirrors", "--", "del-port", WATCH,
    ];
    stage.node.ovs().vsctl(&undo)?;
    stage.strike()
}

fn attributes(stage: &Stage, port: &str) -> Result<String> {
    let ovs = stage.node.ovs();
    let row = ovs.vsctl(&[
        "--columns=name,type,ofport,external_ids,ingress_policing_rate,mac,mtu_request",
        "list",
        "Interface",
        port,
    ])?;
    let port = ovs.vsctl(&[
        "--columns=name,tag,trunks,qos,external_ids",
        "list",
        "Port",
        port,
    ])?;
    let mirror = ovs.vsctl(&["--columns=name,select_src_port", "list", "Mirror"])?;
    Ok(format!("{row}\n{port}\n{mirror}"))
}

/// NO_FLOOD is OpenFlow's, kept by vswitchd in memory alone: what an operator set by hand the daemon learns and sets
/// again, and what he cleared stays cleared.
fn no_flood(case: Case) -> Result<()> {
    let mut node = Node::switched(case.datapath, case.strategy)?;
    node.spawn_berthd(&["--resync", "1"])?;
    let (a, b, stranger) = (node.add_pod("a")?, node.add_pod("b")?, node.add_pod("c")?);
    node.assert_whole(&a, &b)?;
    let session = TcpSession::start(&a.netns, &b.netns, b.v4())?;
    let port = b.port(&node)?;
    let learnt = |node: &Node, off: bool| {
        wait::until_ok(LIMIT, "the record to learn NO_FLOOD", || {
            let record = b.record(node)?;
            ensure!(record["port"]["no_flood"] == json!(off), "{record}");
            Ok(())
        })
    };
    let has_bit = |node: &Node| -> Result<bool> {
        let shown = node.ovs().ofctl(&["dump-ports-desc", BRIDGE])?;
        let mut lines = shown.lines().skip_while(|line| !line.contains(&port));
        Ok(lines.nth(1).unwrap_or_default().contains("NO_FLOOD"))
    };

    node.ovs().ofctl(&["mod-port", BRIDGE, &port, "no-flood"])?;
    learnt(&node, true)?;
    node.ovs_mut().kill_vswitchd()?;
    node.ovs_mut().start_vswitchd()?;
    wait::until_ok(LIMIT, "NO_FLOOD to be set again", || {
        ensure!(has_bit(&node)?, "it is not");
        Ok(())
    })?;
    node.await_whole(&b)?;
    node.await_whole(&stranger)?;
    // Flows that vswitchd had installed before it knew the bit go a moment later.
    wait::until_ok(LIMIT, "broadcasts to be kept from the port", || {
        stranger.netns.sh("ip neigh flush dev eth0")?;
        let answers = PingTrain::answers_within(&stranger.netns, &b.netns, b.v4())?;
        ensure!(answers == 0, "a stranger's ARP request was flooded to it");
        Ok(())
    })?;

    node.ovs().ofctl(&["mod-port", BRIDGE, &port, "flood"])?;
    learnt(&node, false)?;
    node.ovs_mut().kill_vswitchd()?;
    node.ovs_mut().start_vswitchd()?;
    node.assert_whole(&stranger, &b)?;
    ensure!(!has_bit(&node)?, "NO_FLOOD came back");
    node.del_pod(stranger)?;
    Stage {
        node,
        a,
        b,
        session,
    }
    .strike()
}
