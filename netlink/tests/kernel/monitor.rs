//! Events of a namespace.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use netlink::{Link, LinkEvent, LinkMonitor};
use tests::rig::Rig;
use tokio::time::timeout;

use crate::node::{Node, bare};

/// Waits for the first event that `wanted` takes, passing over others.
async fn wait<T>(
    monitor: &mut LinkMonitor,
    what: &str,
    wanted: impl Fn(LinkEvent) -> Option<T>,
) -> Result<T> {
    let limit = Duration::from_secs(10) * Rig::patience();
    timeout(limit, async {
        loop {
            let event = monitor.next().await.context("the monitor ended")?;
            if let Some(found) = wanted(event) {
                return Ok(found);
            }
        }
    })
    .await
    .with_context(|| format!("no event: {what}"))?
}

fn added(name: &'static str) -> impl Fn(LinkEvent) -> Option<Link> {
    move |event| match event {
        LinkEvent::Added(link) if link.name == name => Some(link),
        _ => None,
    }
}

fn removed(name: &'static str) -> impl Fn(LinkEvent) -> Option<Link> {
    move |event| match event {
        LinkEvent::Removed(link) if link.name == name => Some(link),
        LinkEvent::Added(link) if link.name == name => {
            panic!("added in place of removed: {link:?}")
        }
        _ => None,
    }
}

fn changed(index: u32, test: impl Fn(&Link) -> bool) -> impl Fn(LinkEvent) -> Option<Link> {
    move |event| match event {
        LinkEvent::Changed(link) if link.index == index && test(&link) => Some(link),
        LinkEvent::Added(link) if link.index == index => {
            panic!("added in place of changed: {link:?}")
        }
        _ => None,
    }
}

#[tokio::test]
async fn creation_change_rename_move_and_deletion_are_told() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let mut monitor = root.netns.monitor_links()?;
    let mut in_pod = pod.netns.monitor_links()?;
    let pair = root
        .netlink
        .create_veth(&bare("a", &root.netns, "b"))
        .await?;
    let link = wait(&mut monitor, "creation", added("a")).await?;
    assert_eq!(
        (link.index, link.kind.as_deref(), link.mac),
        (pair.link.index, Some("veth"), pair.link.mac)
    );
    let index = link.index;
    root.netlink.rename(index, "c").await?;
    wait(
        &mut monitor,
        "the name",
        changed(index, |link| link.name == "c"),
    )
    .await?;
    root.netlink.set_mtu(index, 1400).await?;
    wait(
        &mut monitor,
        "the MTU",
        changed(index, |link| link.mtu == 1400),
    )
    .await?;
    root.netlink.set_up(index).await?;
    wait(&mut monitor, "up", changed(index, |link| link.up)).await?;
    root.netlink.set_up(pair.peer_index).await?;
    wait(&mut monitor, "carrier", changed(index, |link| link.running)).await?;
    root.netlink
        .move_to(index, &pod.netns, Some("eth0"))
        .await?;
    assert_eq!(
        wait(&mut monitor, "departure", removed("c")).await?.index,
        index
    );
    let arrived = wait(&mut in_pod, "arrival", |event| match event {
        LinkEvent::Added(link) => Some(link),
        _ => None,
    })
    .await?;
    assert!(
        ["c", "eth0"].contains(&arrived.name.as_str()),
        "{arrived:?}"
    );
    pod.netlink.delete(arrived.index).await?;
    wait(&mut in_pod, "deletion", removed("eth0")).await?;
    wait(&mut monitor, "deletion of the other end", removed("b")).await?;
    Ok(())
}

#[tokio::test]
async fn a_port_that_leaves_its_bridge_is_not_taken_for_a_device_that_is_gone() -> Result<()> {
    let root = Node::new("root")?;
    root.fixture.sh("ip link add br0 type bridge && ip link add name a type veth peer name b && ip link set dev a master br0")?;
    let port = root.link("a").await?;
    let mut monitor = root.netns.monitor_links()?;
    root.netlink.set_master(port.index, None).await?;
    wait(&mut monitor, "without master", |event| match event {
        LinkEvent::Removed(link) => panic!("{link:?}"),
        LinkEvent::Changed(link) if link.index == port.index && link.master.is_none() => Some(()),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn another_namespace_is_not_heard() -> Result<()> {
    let here = Node::new("here")?;
    let there = Node::new("there")?;
    let mut monitor = here.netns.monitor_links()?;
    there
        .netlink
        .create_veth(&bare("a", &there.netns, "b"))
        .await?;
    here.netlink
        .create_veth(&bare("c", &here.netns, "d"))
        .await?;
    let first = wait(&mut monitor, "anything", Some).await?;
    match first {
        LinkEvent::Added(link) | LinkEvent::Changed(link) => {
            assert!(link.name == "c" || link.name == "d", "{link:?}")
        }
        other => bail!("{other:?}"),
    }
    Ok(())
}

#[tokio::test]
async fn events_that_were_lost_are_told_and_those_after_them_arrive() -> Result<()> {
    let node = Node::new("overrun")?;
    let mut monitor = node.netns.monitor_links_buffered(4096)?;
    let index = node
        .netlink
        .create_veth(&bare("a", &node.netns, "b"))
        .await?
        .link
        .index;
    // Nobody reads meanwhile: this thread is busy, and the connection's task with it.
    node.fixture.sh(
        "i=0; while [ $i -lt 200 ]; do echo link set dev a mtu $((1000 + i)); i=$((i + 1)); done | ip -batch -",
    )?;
    wait(&mut monitor, "the overrun", |event| {
        (event == LinkEvent::Overrun).then_some(())
    })
    .await?;
    // What is left in the buffer is stale; a change after the overrun comes through.
    node.netlink.set_mtu(index, 1450).await?;
    wait(
        &mut monitor,
        "the change after it",
        changed(index, |link| link.mtu == 1450),
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_device_that_is_there_before_is_told_only_when_it_changes() -> Result<()> {
    let node = Node::new("before")?;
    let pair = node
        .netlink
        .create_veth(&bare("a", &node.netns, "b"))
        .await?;
    let mut monitor = node.netns.monitor_links()?;
    node.netlink.set_mtu(pair.link.index, 1400).await?;
    let event = wait(&mut monitor, "the MTU", Some).await?;
    assert!(
        matches!(&event, LinkEvent::Changed(link) if link.mtu == 1400),
        "{event:?}"
    );
    Ok(())
}
