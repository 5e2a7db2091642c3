//! Scenario 6: a reboot: namespaces, devices and /run are gone, the database and the leases are not.

use anyhow::{Context, Result, ensure};

use super::LIMIT;
use crate::node::{BRIDGE, Node};
use crate::runner::{Case, Scenarios};
use crate::wait;

pub(super) fn add(suite: Scenarios) -> Scenarios {
    suite
        .each("s06_stale_rows_after_reboot", stale_rows)
        .each("s06_netns_path_reused", path_reused)
}

/// Rows without a record go after two looks, leases with them; a pod started meanwhile is not touched.
fn stale_rows(case: Case) -> Result<()> {
    let mut node = Node::switched(case.datapath, case.strategy)?;
    let old = node.add_pod("old")?;
    let port = old.port(&node)?;
    drop(old);
    node.ovs_mut().stop_vswitchd(true)?;
    std::fs::remove_dir_all(node.state_dir().join("attachments"))?;
    // Leases that are older than the machine's boot.
    let leases = node.ipam_dir().display().to_string();
    node.netns.sh(&format!(
        "find {leases} -type f -exec touch -d 2001-01-01 {{}} +"
    ))?;
    // What stayed in the root namespace is a device of the old boot.
    node.netns
        .sh(&format!("ip link del {port} 2>/dev/null || true"))?;
    node.ovs_mut().start_vswitchd()?;
    node.netns.sh(&format!("ip link set {BRIDGE} up"))?;
    let (a, b) = (node.add_pod("a")?, node.add_pod("b")?);
    node.start_berthd()?;
    wait::until_ok(LIMIT, "the stale row to go", || {
        let rows = node.ovs().vsctl(&["list-ports", BRIDGE])?;
        ensure!(!rows.contains(&port), "{rows}");
        Ok(())
    })?;
    node.assert_whole(&a, &b)
        .context("live pods beside the stale row")?;
    for pod in [a, b] {
        node.del_pod(pod)?;
    }
    node.stop_berthd()?;
    node.assert_clean()
}

/// The old pod's path names another namespace now: the new pod in it keeps its port, the old one's goes.
fn path_reused(case: Case) -> Result<()> {
    let mut node = Node::switched(case.datapath, case.strategy)?;
    node.start_berthd()?;
    let peer = node.add_pod("peer")?;
    let old = node.add_pod("old")?;
    let port = old.port(&node)?;
    let path = old.netns.path().to_owned();
    let fresh = node.add_pod("fresh")?;
    let stale_cni = old.cni.clone();
    drop(old);
    // The runtime's counter comes round: the same path, another inode.
    std::fs::write(&path, "")?;
    let mount = |from: &std::path::Path| {
        nix::mount::mount(
            Some(from),
            &path,
            None::<&str>,
            nix::mount::MsFlags::MS_BIND,
            None::<&str>,
        )
    };
    mount(fresh.netns.path()).context("cannot reuse the path")?;
    let outcome = (|| -> Result<()> {
        wait::until_ok(LIMIT, "the old pod's port to go", || {
            let rows = node.ovs().vsctl(&["list-ports", BRIDGE])?;
            ensure!(!rows.contains(&port), "{rows}");
            Ok(())
        })?;
        stale_cni.del().context("DEL of the old pod")?;
        node.assert_whole(&fresh, &peer)
    })();
    nix::mount::umount(&path)?;
    std::fs::remove_file(&path)?;
    outcome?;
    for pod in [fresh, peer] {
        node.del_pod(pod)?;
    }
    node.stop_berthd()?;
    node.assert_clean()
}
