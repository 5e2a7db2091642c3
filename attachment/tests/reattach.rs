//! vswitchd dies and comes back: a live TCP session goes on, for every strategy.

mod node;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use attachment::{Action, Strategy};
use node::{Node, Pod, strategies};
use tests::rig::Rig;
use tests::traffic::TcpSession;
use tests::wait;

const LIMIT: Duration = Duration::from_secs(60);

fn across_restart(
    restart: impl Fn(&mut Node) -> Result<()>,
    after: impl Fn(&Node, Strategy, &[Action]) -> Result<()>,
) -> Result<()> {
    for datapath in Rig::current().datapaths() {
        for strategy in strategies(*datapath) {
            let mut node = Node::new(*datapath)?;
            let what = || format!("{strategy} on {datapath}");
            let one = node.attached(1, strategy).with_context(what)?;
            let two = node.attached(2, strategy).with_context(what)?;
            for address in ["10.1.0.2", "fd00:1::2"] {
                let session = started(&node, &one, &two, address).with_context(what)?;
                restart(&mut node).with_context(what)?;
                let done = node.settle().with_context(what)?;
                after(&node, strategy, &done).with_context(what)?;
                goes_on(&node, &one, &session).with_context(what)?;
                session.finish()?.intact().with_context(what)?;
            }
            for pod in [&one, &two] {
                node.healthy(pod).with_context(what)?;
                let links = pod.netns.output("ip", ["-o", "link"])?;
                ensure!(!links.contains("bro"), "left aside: {links}");
                node.detach(pod)?;
                pod.clean().with_context(what)?;
            }
            node.clean().with_context(what)?;
        }
    }
    Ok(())
}

/// Opens a session. Between pods whose ports vswitchd forgets, once both are there.
fn started(node: &Node, one: &Pod, two: &Pod, address: &str) -> Result<TcpSession> {
    let start = || TcpSession::start(&one.netns, &two.netns, address.parse()?);
    if !node.forgets(one) {
        return start();
    }
    wait::until_ok(LIMIT, "a session between forgotten ports", || {
        node.settle()?;
        start()
    })
}

/// Sees the session go on, while ports that vswitchd forgets are brought back.
fn goes_on(node: &Node, pod: &Pod, session: &TcpSession) -> Result<()> {
    if !node.forgets(pod) {
        return session.await_progress(LIMIT);
    }
    wait::until_ok(LIMIT, "a session over forgotten ports to go on", || {
        node.settle()?;
        session.await_progress(Duration::from_secs(2))
    })
}

#[test]
fn killed_and_started_again() -> Result<()> {
    across_restart(
        |node| {
            node.ovs.kill_vswitchd()?;
            node.ovs.start_vswitchd()
        },
        |_, _, _| Ok(()),
    )
}

#[test]
fn stopped_with_cleanup_and_started_again() -> Result<()> {
    across_restart(
        |node| {
            node.ovs.stop_vswitchd(true)?;
            node.ovs.start_vswitchd()
        },
        |_, _, _| Ok(()),
    )
}

#[test]
fn nothing_is_touched_while_vswitchd_is_dead() -> Result<()> {
    across_restart(
        |node| {
            node.ovs.kill_vswitchd()?;
            let done = node.settle()?;
            ensure!(done.is_empty(), "acted without vswitchd: {done:?}");
            node.ovs.start_vswitchd()
        },
        |_, _, _| Ok(()),
    )
}
