//! Every strategy against a real switch: attach, traffic, CHECK, detach, nothing left.

mod node;

use anyhow::{Context, Result, ensure};
use attachment::Strategy;
use node::{BRIDGE, Node, reaches, strategies};
use tests::rig::Rig;

/// Runs `body` with every strategy on every datapath of this rig.
fn everywhere(body: impl Fn(&Node, Strategy) -> Result<()>) -> Result<()> {
    for datapath in Rig::current().datapaths() {
        for strategy in strategies(*datapath) {
            let node = Node::new(*datapath)?;
            body(&node, strategy).with_context(|| format!("{strategy} on {datapath}"))?;
        }
    }
    Ok(())
}

#[test]
fn attached_pods_talk_and_leave_nothing() -> Result<()> {
    everywhere(|node, strategy| {
        let one = node.attached(1, strategy)?;
        let two = node.attached(2, strategy)?;
        node.reaches(&one, &two, "10.1.0.2")?;
        node.reaches(&two, &one, "fd00:1::1")?;
        node.healthy(&one)?;
        node.healthy(&two)?;
        if !node.forgets(&one) {
            let calm = node.settle()?;
            ensure!(calm.is_empty(), "a healthy node needs no repair: {calm:?}");
        }
        node.detach(&one)?;
        one.clean()?;
        // On a kernel datapath the DEL has made vswitchd forget the other's renamed port.
        node.healthy(&two)?;
        node.detach(&two)?;
        node.detach(&two).context("twice")?;
        two.clean()?;
        node.clean()
    })
}

#[test]
fn routed_pods_talk_and_leave_nothing() -> Result<()> {
    let node = Node::new(Rig::current().datapaths()[0])?;
    let one = node.attached(1, Strategy::Routed)?;
    let two = node.attached(2, Strategy::Routed)?;
    one.reaches(&two, "10.1.0.2")?;
    two.reaches(&one, "fd00:1::1")?;
    node.root.sh("ip addr add 172.16.0.1/32 dev lo")?;
    reaches(&node.root, &two.netns, "10.1.0.2")?;
    ensure!(node.check(&one)?.is_empty(), "{:?}", node.check(&one)?);
    ensure!(node.settle()?.is_empty());
    node.root.sh(&format!(
        "ip route del 10.1.0.1/32 dev {}",
        one.record.port_name
    ))?;
    ensure!(
        node.check(&one)? == ["host route to 10.1.0.1 is missing"],
        "{:?}",
        node.check(&one)?
    );
    node.settle()?;
    two.reaches(&one, "10.1.0.1")?;
    node.detach(&one)?;
    node.detach(&two)?;
    one.clean()?;
    node.clean()
}

#[test]
fn attributes_are_set_on_the_switch() -> Result<()> {
    everywhere(|node, strategy| {
        let mut pod = node.pod(1, strategy)?;
        pod.record.mtu = 1400;
        if let Some(port) = pod.record.port.switch_mut() {
            port.vlan = Some(42);
            port.trunks = vec![7, 9];
            port.ofport_request = Some(77);
            port.gateways = vec!["10.1.0.254/24".parse()?];
            port.external_ids.insert("colour".into(), "red".into());
        }
        node.attach(&mut pod)?;
        // The MTU of the bridge follows that of its ports, which is a link event.
        node.healthy(&pod)?;
        let name = pod.record.port_name.clone();
        let get = |table: &str, column: &str| node.ovs.vsctl(&["get", table, &name, column]);
        ensure!(get("port", "tag")? == "42");
        ensure!(get("port", "trunks")? == "[7, 9]");
        ensure!(get("interface", "ofport")? == "77");
        ensure!(get("interface", "external_ids:colour")? == "red");
        ensure!(get("interface", "external_ids:owner")? == "berth");
        let link = pod.netns.ip_json("link show eth0")?;
        ensure!(link[0]["mtu"] == 1400, "{link}");
        ensure!(link[0]["address"] == pod.record.mac.to_string(), "{link}");
        let bridge = node.root.output("ip", ["-o", "addr", "show", BRIDGE])?;
        ensure!(bridge.contains("10.1.0.254/24"), "{bridge}");
        node.detach(&pod)?;
        node.clean()
    })
}

#[test]
fn detach_needs_no_record_and_no_namespace() -> Result<()> {
    everywhere(|node, strategy| {
        let one = node.attached(1, strategy)?;
        node.detach_key(&one.record.key(), None, Some(one.netns.path()))?;
        one.clean().context("without a record")?;
        node.clean()?;

        let two = node.attached(2, strategy)?;
        let (key, record) = (two.record.key(), two.record.clone());
        let path = two.netns.path().to_owned();
        drop(two);
        node.detach_key(&key, Some(&record), Some(&path))?;
        node.clean().context("without a namespace")
    })
}
