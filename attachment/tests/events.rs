//! What an operator, a pod and a crash do to attachments, and that the plan's actions
//! bring them back.

mod node;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use attachment::{Action, Memory, Strategy};
use node::{BRIDGE, Node, Pod, strategies};
use tests::rig::Rig;
use tests::traffic::TcpSession;
use tests::wait;

const LIMIT: Duration = Duration::from_secs(60);

/// Runs `event` on a node with two pods, repairs, and proves that they talk, that CHECK
/// agrees, and that nothing is left after DEL.
fn repaired(event: impl Fn(&mut Node, &Pod) -> Result<()>) -> Result<()> {
    repaired_by(|_| true, event)
}

fn repaired_by(
    which: impl Fn(Strategy) -> bool,
    event: impl Fn(&mut Node, &Pod) -> Result<()>,
) -> Result<()> {
    for datapath in Rig::current().datapaths() {
        for strategy in strategies(*datapath) {
            if !which(strategy) {
                continue;
            }
            let mut node = Node::new(*datapath)?;
            let what = || format!("{strategy} on {datapath}");
            let one = node.attached(1, strategy).with_context(what)?;
            let two = node.attached(2, strategy).with_context(what)?;
            event(&mut node, &one).with_context(what)?;
            let done = node.settle().with_context(what)?;
            node.reaches(&one, &two, "10.1.0.2")
                .with_context(|| format!("{} after {done:?}", what()))?;
            node.reaches(&two, &one, "fd00:1::1")
                .with_context(|| format!("{} after {done:?}", what()))?;
            for pod in [&one, &two] {
                node.healthy(pod).with_context(what)?;
                node.detach(pod).with_context(what)?;
                pod.clean().with_context(what)?;
            }
            node.clean().with_context(what)?;
        }
    }
    Ok(())
}

#[test]
fn the_row_is_deleted() -> Result<()> {
    repaired(|node, pod| {
        node.ovs
            .vsctl(&["del-port", BRIDGE, &pod.record.port_name])
            .map(drop)
    })
}

#[test]
fn the_port_is_deleted_and_added_by_hand() -> Result<()> {
    repaired(|node, pod| {
        let name = &pod.record.port_name;
        node.ovs.vsctl(&["del-port", BRIDGE, name])?;
        let kind = if pod.record.strategy() == Strategy::Veth {
            "type=system"
        } else {
            "type=internal"
        };
        node.ovs.vsctl(&[
            "add-port",
            BRIDGE,
            name,
            "--",
            "set",
            "interface",
            name,
            kind,
        ])?;
        Ok(())
    })
}

#[test]
fn the_database_is_wiped() -> Result<()> {
    repaired(|node, _| node.ovs.wipe_database())
}

#[test]
fn the_database_is_restarted() -> Result<()> {
    repaired(|node, _| node.ovs.restart_ovsdb())
}

#[test]
fn the_pod_deletes_its_interface() -> Result<()> {
    // rtnetlink does not delete ports of the kernel datapath, not even for a pod.
    let deletable = |strategy| Rig::current() == Rig::Native || strategy != Strategy::Rename;
    repaired_by(deletable, |_, pod| {
        pod.netns.sh("ip link del eth0").map(drop)
    })
}

#[test]
fn the_pod_loses_what_is_configured() -> Result<()> {
    repaired(|_, pod| {
        pod.netns
            .sh("ip addr flush dev eth0 && ip link set eth0 mtu 1300 && ip link set eth0 down")?;
        Ok(())
    })
}

#[test]
fn the_host_end_is_set_down() -> Result<()> {
    repaired_by(
        |strategy| matches!(strategy, Strategy::Veth | Strategy::Macvlan),
        |node, pod| {
            let name = &pod.record.port_name;
            node.root.sh(&format!("ip link set {name} down")).map(drop)
        },
    )
}

#[test]
fn vswitchd_is_killed_again_in_the_middle_of_a_repair() -> Result<()> {
    repaired(|node, _| {
        node.ovs.kill_vswitchd()?;
        node.ovs.start_vswitchd()?;
        // One round of repair, whatever it has come to.
        node.repair(&mut Memory::default(), Duration::ZERO)?;
        node.ovs.kill_vswitchd()?;
        node.repair(&mut Memory::default(), Duration::ZERO)?;
        node.ovs.start_vswitchd()
    })
}

#[test]
fn ports_of_others_are_left_alone() -> Result<()> {
    repaired(|node, _| {
        node.root
            .sh("ip link add foreign type veth peer name foreign-peer")?;
        node.ovs.vsctl(&["add-port", BRIDGE, "foreign"])?;
        node.ovs
            .vsctl(&["add-port", BRIDGE, "brt0123456789ab"])
            .ok();
        node.settle()?;
        let ports = node.ovs.vsctl(&["list-ports", BRIDGE])?;
        ensure!(ports.contains("foreign"), "{ports}");
        ensure!(ports.contains("brt0123456789ab"), "{ports}");
        node.ovs.vsctl(&["del-port", BRIDGE, "brt0123456789ab"])?;
        Ok(())
    })
}

#[test]
fn no_flood_is_set_again_after_a_restart() -> Result<()> {
    repaired(|node, pod| {
        remember_no_flood(node, pod, true)?;
        let floods = |node: &Node| -> Result<bool> {
            let shown = node
                .ovs
                .ofctl(&["show", BRIDGE])?
                .lines()
                .skip_while(|line| !line.contains(&pod.record.port_name))
                .nth(1)
                .map(str::to_owned);
            Ok(!shown.context("the port is shown")?.contains("NO_FLOOD"))
        };
        node.settle()?;
        ensure!(!floods(node)?, "not set at first");
        node.ovs.kill_vswitchd()?;
        node.ovs.start_vswitchd()?;
        ensure!(floods(node)?, "a restart should have lost it");
        node.settle()?;
        ensure!(!floods(node)?, "not set again");
        // Without floods nobody finds the pod, which is not what is asked next.
        remember_no_flood(node, pod, false)?;
        node.ovs
            .ofctl(&["mod-port", BRIDGE, &pod.record.port_name, "flood"])
            .map(drop)
    })
}

/// Writes the wish for NO_FLOOD into a pod's record.
fn remember_no_flood(node: &Node, pod: &Pod, no_flood: bool) -> Result<()> {
    let mut record = pod.record.clone();
    record.port.switch_mut().context("a port")?.no_flood = no_flood;
    node.run(|_, store| async move { Ok(store.write(&record)?) })
}

#[test]
fn a_namespace_that_goes_before_del_is_released_after_two_looks() -> Result<()> {
    for datapath in Rig::current().datapaths() {
        for strategy in strategies(*datapath) {
            let node = Node::new(*datapath)?;
            let pod = node.attached(1, strategy)?;
            let other = node.attached(2, strategy)?;
            let third = node.attached(3, strategy)?;
            let key = pod.record.key();
            drop(pod);
            let mut memory = Memory::default();
            let mut now = Duration::ZERO;
            let first = node.repair(&mut memory, now)?;
            ensure!(
                !first.iter().any(|a| matches!(a, Action::Release { .. })),
                "released at the first look: {first:?}"
            );
            wait::until_ok(LIMIT, "the release", || {
                now += Duration::from_secs(3);
                node.repair(&mut memory, now)?;
                let ports = node.ovs.vsctl(&["list-ports", BRIDGE])?;
                ensure!(!ports.contains(&key.port_name()), "{ports}");
                Ok(())
            })?;
            node.reaches(&other, &third, "10.1.0.3")?;
            // DEL comes late and finds only the record.
            let record = node.run(|_, store| async move { Ok(store.read(&key)?) })?;
            let record = record.context("the record stays for DEL")?;
            node.detach_key(&record.key(), Some(&record), Some(&record.netns.path))?;
            node.detach(&other)?;
            node.detach(&third)?;
            node.clean().with_context(|| format!("{strategy}"))?;
        }
    }
    Ok(())
}

#[test]
fn an_orphan_is_deleted_after_two_looks() -> Result<()> {
    for datapath in Rig::current().datapaths() {
        for strategy in strategies(*datapath) {
            let node = Node::new(*datapath)?;
            let pod = node.attached(1, strategy)?;
            let survivor = node.attached(2, strategy)?;
            let key = pod.record.key();
            node.run(|_, store| async move { Ok(store.remove(&key)?) })?;
            let name = pod.record.port_name.clone();
            let there =
                || -> Result<bool> { Ok(node.ovs.vsctl(&["list-ports", BRIDGE])?.contains(&name)) };
            let mut memory = Memory::default();
            node.repair_all(&mut memory, Duration::ZERO)?;
            ensure!(there()?, "deleted at the first look");
            node.repair_all(&mut memory, Duration::from_secs(1))?;
            ensure!(there()?, "deleted at a second look too soon");
            node.repair_all(&mut memory, Duration::from_secs(3))?;
            ensure!(!there()?, "not deleted");
            node.healthy(&survivor)?;
        }
    }
    Ok(())
}

#[test]
fn stand_ins_serve_until_the_ports_are_moved() -> Result<()> {
    if !Rig::current()
        .datapaths()
        .iter()
        .any(|datapath| strategies(*datapath).contains(&Strategy::Rename))
        || Rig::current().is_vm()
    {
        // The VM's userspace datapath has the bond alone; renamed ports of a kernel
        // datapath have no stand-ins.
        return Ok(());
    }
    for prepared in [true, false] {
        let mut node = Node::new(tests::ovs::Datapath::Userspace)?;
        let pods: Vec<Pod> = (1..=4)
            .map(|number| node.attached(number, Strategy::Rename))
            .collect::<Result<_>>()?;
        let session = TcpSession::start(&pods[0].netns, &pods[1].netns, "10.1.0.2".parse()?)?;
        let kinds = || -> Result<Vec<String>> {
            pods.iter()
                .map(|pod| {
                    let link = pod.netns.ip_json("link show eth0")?;
                    let kind = &link[0]["linkinfo"]["info_kind"];
                    Ok(kind.as_str().unwrap_or_default().to_owned())
                })
                .collect()
        };
        let mut memory = Memory::default();
        node.ovs.kill_vswitchd()?;
        if prepared {
            node.repair(&mut memory, Duration::ZERO)?;
            ensure!(kinds()? == ["macvlan"; 4], "{:?}", kinds()?);
        }
        node.ovs.start_vswitchd()?;
        // Time stands still for the plan, so it may move one port at most.
        let done = node.repair(&mut memory, Duration::from_millis(1))?;
        let moved = |actions: &[Action]| {
            let moves = actions
                .iter()
                .filter(|a| matches!(a, Action::MoveIn { .. }));
            moves.count()
        };
        ensure!(moved(&done) <= 1, "{done:?}");
        session.await_progress(LIMIT)?;
        ensure!(kinds()?.contains(&"macvlan".to_owned()), "{:?}", kinds()?);
        for pod in &pods {
            let drift = node.check(pod)?;
            ensure!(drift.is_empty(), "a stand-in serves: {drift:?}");
        }
        node.settle()?;
        ensure!(kinds()? == ["tun"; 4], "{:?}", kinds()?);
        session.await_progress(LIMIT)?;
        session.finish()?.intact()?;
        for pod in &pods {
            node.detach(pod)?;
            pod.clean()?;
        }
        node.clean()?;
    }
    Ok(())
}
