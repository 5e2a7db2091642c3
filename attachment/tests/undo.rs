//! An ADD that fails at any step leaves nothing, and touches nothing that is not ours.

mod node;

use anyhow::{Context, Result, ensure};
use attachment::record::Route;
use attachment::{Error, Strategy};
use node::{BRIDGE, Node, Pod, strategies};
use tests::rig::Rig;

/// Attaches, which must fail, and checks that nothing is left.
fn fails(node: &Node, pod: &mut Pod) -> Result<Error> {
    let Err(error) = node.attach(pod) else {
        anyhow::bail!("attached although it should have failed");
    };
    pod.clean().with_context(|| format!("after {error:#}"))?;
    node.clean().with_context(|| format!("after {error:#}"))?;
    error.downcast::<Error>()
}

fn everywhere(body: impl Fn(&mut Node, Strategy) -> Result<()>) -> Result<()> {
    for datapath in Rig::current().datapaths() {
        for strategy in strategies(*datapath).into_iter().chain([Strategy::Routed]) {
            let mut node = Node::new(*datapath)?;
            body(&mut node, strategy).with_context(|| format!("{strategy} on {datapath}"))?;
        }
    }
    Ok(())
}

#[test]
fn a_sysctl_that_does_not_exist() -> Result<()> {
    everywhere(|node, strategy| {
        let mut pod = node.pod(1, strategy)?;
        let key = "net/ipv4/conf/eth0/no_such_thing";
        pod.record.sysctls.insert(key.to_owned(), "1".to_owned());
        let error = fails(node, &mut pod)?;
        ensure!(error.to_string().contains(key), "{error}");
        pod.record.sysctls.clear();
        node.attach(&mut pod).context("the next ADD")?;
        node.detach(&pod)
    })
}

#[test]
fn a_gateway_that_is_not_reachable() -> Result<()> {
    everywhere(|node, strategy| {
        if strategy == Strategy::Routed {
            // Every gateway of a routed port is the link-local one.
            return Ok(());
        }
        let mut pod = node.pod(1, strategy)?;
        let gateway = Some("192.0.2.1".parse()?);
        pod.record.routes = vec![Route::via("0.0.0.0/0".parse()?, gateway)];
        let error = fails(node, &mut pod)?;
        ensure!(error.to_string().contains("192.0.2.1"), "{error}");
        Ok(())
    })
}

#[test]
fn an_mtu_that_no_device_takes() -> Result<()> {
    everywhere(|node, strategy| {
        let mut pod = node.pod(1, strategy)?;
        pod.record.mtu = 100_000;
        fails(node, &mut pod).map(drop)
    })
}

#[test]
fn a_gateway_address_without_its_bridge_device() -> Result<()> {
    for datapath in Rig::current().datapaths() {
        let node = Node::new(*datapath)?;
        let mut pod = node.pod(1, Strategy::Veth)?;
        // An address with a prefix that its family does not have cannot be written down,
        // so the device is taken away instead: the last step of an ADD fails.
        node.root.sh(&format!("ip link set {BRIDGE} down"))?;
        node.root
            .sh(&format!("ip link set {BRIDGE} name elsewhere"))?;
        let port = pod.record.port.switch_mut().context("a port")?;
        port.gateways = vec!["10.1.0.254/24".parse()?];
        let error = fails(&node, &mut pod)?;
        ensure!(matches!(error, Error::Missing { .. }), "{error}");
    }
    Ok(())
}

#[test]
fn a_kernel_without_bonding() -> Result<()> {
    if Rig::current().is_vm() {
        // Its kernels have bonding; what fails here is a bridge of the other datapath.
        let node = Node::new(tests::ovs::Datapath::Kernel)?;
        let mut pod = node.pod(1, Strategy::Bond)?;
        let port = pod.record.port.switch_mut().context("a port")?;
        port.datapath = attachment::record::Datapath::Userspace;
        let error = fails(&node, &mut pod)?;
        ensure!(matches!(error, Error::OtherDatapath { .. }), "{error}");
        return Ok(());
    }
    let node = Node::new(tests::ovs::Datapath::Userspace)?;
    let mut pod = node.pod(1, Strategy::Bond)?;
    let error = fails(&node, &mut pod)?;
    ensure!(
        matches!(&error, Error::Netlink(netlink) if netlink.is_not_supported()),
        "{error}"
    );
    Ok(())
}

#[test]
fn a_bridge_that_does_not_exist() -> Result<()> {
    everywhere(|node, strategy| {
        let mut pod = node.pod(1, strategy)?;
        let Some(port) = pod.record.port.switch_mut() else {
            return Ok(());
        };
        port.bridge = "br-none".to_owned();
        let error = fails(node, &mut pod)?;
        ensure!(error.to_string().contains("br-none"), "{error}");
        Ok(())
    })
}

#[test]
fn vswitchd_is_dead() -> Result<()> {
    everywhere(|node, strategy| {
        if strategy == Strategy::Routed {
            return Ok(());
        }
        let mut pod = node.pod(1, strategy)?;
        node.ovs.kill_vswitchd()?;
        let error = fails(node, &mut pod)?;
        ensure!(error.is_retryable(), "{error}");
        Ok(())
    })
}

#[test]
fn ovsdb_is_away() -> Result<()> {
    everywhere(|node, strategy| {
        let mut pod = node.pod(1, strategy)?;
        if strategy == Strategy::Routed {
            return Ok(());
        }
        node.ovs.stop_ovsdb();
        let Err(error) = node.attach(&mut pod) else {
            anyhow::bail!("attached without a database");
        };
        pod.clean()?;
        let error = error.downcast::<Error>()?;
        ensure!(error.is_retryable(), "{error}");
        node.ovs.start_ovsdb()?;
        node.clean()
    })
}

#[test]
fn the_pod_has_such_an_interface() -> Result<()> {
    everywhere(|node, strategy| {
        let mut pod = node.pod(1, strategy)?;
        pod.netns.sh("ip link add eth0 type veth peer name other")?;
        let Err(error) = node.attach(&mut pod) else {
            anyhow::bail!("attached over another interface");
        };
        let error = error.downcast::<Error>()?;
        ensure!(matches!(error, Error::PodLinkExists { .. }), "{error}");
        pod.netns.sh("ip link show other")?;
        node.clean()
    })
}

#[test]
fn the_name_in_root_is_taken() -> Result<()> {
    everywhere(|node, strategy| {
        let mut pod = node.pod(1, strategy)?;
        let name = pod.record.port_name.clone();
        node.root
            .sh(&format!("ip link add {name} type veth peer name other"))?;
        let Err(error) = node.attach(&mut pod) else {
            anyhow::bail!("attached over somebody else's device");
        };
        let error = error.downcast::<Error>()?;
        ensure!(
            matches!(&error, Error::LinkTaken { name: taken, .. } if *taken == name),
            "{error}"
        );
        // DEL does not touch it either.
        node.detach(&pod)?;
        node.root.sh(&format!("ip link show {name}"))?;
        Ok(())
    })
}

#[test]
fn the_name_on_the_switch_is_taken() -> Result<()> {
    everywhere(|node, strategy| {
        if strategy == Strategy::Routed {
            return Ok(());
        }
        let mut pod = node.pod(1, strategy)?;
        let name = pod.record.port_name.clone();
        node.ovs.vsctl(&[
            "add-port",
            BRIDGE,
            &name,
            "--",
            "set",
            "interface",
            &name,
            "type=internal",
        ])?;
        let Err(error) = node.attach(&mut pod) else {
            anyhow::bail!("attached over somebody else's port");
        };
        let error = error.downcast::<Error>()?;
        ensure!(matches!(error, Error::PortTaken { .. }), "{error}");
        node.detach(&pod)?;
        node.ovs.vsctl(&["get", "port", &name, "name"])?;
        pod.clean()
    })
}

#[test]
fn what_a_killed_add_left_is_taken_over() -> Result<()> {
    everywhere(|node, strategy| {
        // A killed ADD leaves its record in phase `adding` and its devices.
        let mut pod = node.attached(1, strategy)?;
        pod.record.phase = attachment::Phase::Adding;
        node.run(|_, store| async move { Ok(store.write(&pod.record)?) })?;
        let mut pod = Pod {
            record: node.record(&pod.netns, 1, strategy)?,
            netns: pod.netns,
        };
        node.attach(&mut pod)?;
        ensure!(node.check(&pod)?.is_empty(), "{:?}", node.check(&pod)?);
        let Err(error) = node.attach(&mut pod) else {
            anyhow::bail!("attached twice");
        };
        ensure!(matches!(error.downcast()?, Error::Exists { .. }));
        node.detach(&pod)?;
        pod.clean()?;
        node.clean()
    })
}

#[test]
fn a_veth_without_its_mark_yet_is_known_by_its_mac() -> Result<()> {
    // The kernel takes no alias at birth: an ADD may be killed between the two.
    for with_record in [false, true] {
        let node = Node::new(Rig::current().datapaths()[0])?;
        let mut pod = node.pod(1, Strategy::Routed)?;
        let key = pod.record.key();
        let half_made = || -> Result<()> {
            let host_mac = attachment::names::host_mac(&key.container_id, &key.ifname);
            node.root.sh(&format!(
                "ip link add {name} address {host_mac} type veth peer name half address {mac}",
                name = pod.record.port_name,
                mac = pod.record.mac,
            ))?;
            let pid = pod.netns.command("sleep").arg("60").spawn()?;
            let mut pid = pid;
            node.root
                .sh(&format!("ip link set half netns {} name eth0", pid.id()))?;
            pid.kill()?;
            pid.wait()?;
            Ok(())
        };
        half_made()?;
        let record = with_record.then_some(&pod.record);
        node.detach_key(&key, record, Some(pod.netns.path()))?;
        pod.clean()?;
        node.clean()?;

        half_made()?;
        if with_record {
            let record = pod.record.clone();
            node.run(|_, store| async move { Ok(store.write(&record)?) })?;
            node.attach(&mut pod).context("a next ADD takes it over")?;
            node.detach(&pod)?;
        }
    }
    Ok(())
}
