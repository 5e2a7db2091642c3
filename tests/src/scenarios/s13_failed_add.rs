//! Scenario 13: an ADD that fails at any stage leaves nothing, and one during a restart waits or says "try again".

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{LIMIT, stage};
use crate::netns::Netns;
use crate::node::BRIDGE;
use crate::runner::{Case, Scenarios};

/// The CNI code for "try again later".
const TRY_AGAIN: u32 = 11;

pub(super) fn add(suite: Scenarios) -> Scenarios {
    suite
        .each("s13_add_that_fails_leaves_nothing", fails)
        .each("s13_add_during_a_restart", during_restart)
}

/// Each configuration fails at another stage: validation, bridge, VLAN, addresses, the pod's name, routes.
fn fails(case: Case) -> Result<()> {
    let stage = stage(case)?;
    let good = stage.node.config().clone();
    let with = |key: &str, value: serde_json::Value| {
        let mut config = good.clone();
        config[key] = value;
        config
    };
    let mut far_route = good.clone();
    far_route["ipam"]["routes"] = json!([{"dst": "198.51.100.0/24", "gw": "203.0.113.1"}]);
    let mut exhausted = good.clone();
    exhausted["name"] = json!("tiny");
    exhausted["ipam"]["ranges"] = json!([[{"subnet": "10.99.0.0/24", "rangeStart": "10.99.0.1", "rangeEnd": "10.99.0.1", "gateway": "10.99.0.1"}]]);
    let table = [
        ("vlan out of range", with("vlan", json!(4095))),
        ("no such bridge", with("bridge", json!("br-none"))),
        ("mtu too big", with("mtu", json!(70000))),
        ("no address left", exhausted),
        ("route that cannot be set", far_route),
    ];
    for (what, config) in table {
        let netns = Netns::new("fails")?;
        let cni = stage.node.cni("fails", netns.path())?.config(&config);
        let rows = stage.node.ovs().vsctl(&["list-ports", BRIDGE])?;
        let links = stage.node.netns.sh("ip -brief link | cut -d' ' -f1")?;
        let failure = cni
            .call("ADD")?
            .failure()
            .with_context(|| what.to_owned())?;
        ensure!(!failure.msg.is_empty(), "{what}: no message");
        ensure!(
            stage.node.ovs().vsctl(&["list-ports", BRIDGE])? == rows,
            "{what}: rows changed"
        );
        ensure!(
            stage.node.netns.sh("ip -brief link | cut -d' ' -f1")? == links,
            "{what}: links changed"
        );
        netns.sh("! ip link show eth0 2>/dev/null").context(what)?;
        let record = stage.node.state_dir().join("attachments/fails.eth0.json");
        ensure!(!record.exists(), "{what}: a record is left");
    }
    stage.strike()
}

/// vswitchd is away when ADD begins: either ADD answers 11 and leaves nothing, or it waits and succeeds.
fn during_restart(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    stage.node.ovs_mut().kill_vswitchd()?;
    let netns = Netns::new("during")?;
    let cni = stage.node.cni("during", netns.path())?;
    let waiting = {
        let cni = cni.clone();
        std::thread::spawn(move || cni.call("ADD"))
    };
    let first = waiting
        .join()
        .expect("a thread that calls ADD does not panic");
    let answer = first?;
    if answer.status == Some(0) {
        // Only a datapath that needs no vswitchd to plug a port could do that.
        anyhow::bail!("ADD succeeded without vswitchd: {}", answer.stdout);
    }
    let failure = answer.failure()?;
    ensure!(failure.code == TRY_AGAIN, "{failure:?}");
    netns
        .sh("! ip link show eth0 2>/dev/null")
        .context("an interface is left")?;
    stage.node.ovs_mut().spawn_vswitchd()?;
    crate::wait::until_ok(LIMIT, "ADD to succeed while vswitchd starts", || {
        cni.add().map(drop)
    })?;
    cni.del()?;
    stage.strike()
}
