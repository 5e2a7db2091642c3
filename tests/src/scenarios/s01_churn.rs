//! Scenario 1: what goes on around a pod on any node: ports come and go, links flap, a hundred pods start and end.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};

use super::stage;
use crate::node::{BRIDGE, Node};
use crate::runner::{Case, Scenarios};

/// Unrelated ports added and deleted.
const PORTS: usize = 20;

/// Pods that come and go beside the conversation.
const PODS: usize = 100;

/// Of them at once.
const AT_ONCE: usize = 8;

pub(super) fn add(suite: Scenarios) -> Scenarios {
    suite
        .each("s01_unrelated_ports", unrelated_ports)
        .each("s01_link_flap_in_root", link_flap)
        .each("s01_churn_of_100_pods", churn)
}

fn unrelated_ports(case: Case) -> Result<()> {
    let stage = stage(case)?;
    let ovs = stage.node.ovs();
    for n in 0..PORTS {
        let port = format!("other{n}");
        ovs.vsctl(&[
            "add-port",
            BRIDGE,
            &port,
            "--",
            "set",
            "Interface",
            &port,
            "type=internal",
        ])?;
    }
    for n in 0..PORTS {
        ovs.vsctl(&["del-port", BRIDGE, &format!("other{n}")])?;
    }
    stage.strike()
}

fn link_flap(case: Case) -> Result<()> {
    let stage = stage(case)?;
    let root = &stage.node.netns;
    root.sh("ip link add flap0 type veth peer name flap1")?;
    for _ in 0..PORTS {
        root.sh("ip link set flap0 up && ip link set flap1 up")?;
        root.sh("ip link set flap0 down && ip link set flap1 down")?;
    }
    root.sh("ip link del flap0")?;
    stage.strike()
}

fn churn(case: Case) -> Result<()> {
    let stage = stage(case)?;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| -> Result<()> {
        let node = &stage.node;
        let workers: Vec<_> = (0..AT_ONCE)
            .map(|_| scope.spawn(|| come_and_go(node, &next)))
            .collect();
        for worker in workers {
            worker.join().expect("a worker does not panic")?;
        }
        Ok(())
    })?;
    stage.strike()
}

/// Adds and deletes pods until all numbers are taken.
fn come_and_go(node: &Node, next: &AtomicUsize) -> Result<()> {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= PODS {
            return Ok(());
        }
        let pod = node.add_pod(&format!("churn{number}")).context("churn")?;
        node.del_pod(pod).context("churn")?;
    }
}
