//! The harness tested: a measurement that cannot fail proves nothing.

use std::path::Path;

use anyhow::Result;
use tests::netns::Netns;
use tests::ovs::{Datapath, Ovs};

#[test]
fn a_namespace_is_fresh_and_ends_with_its_value() -> Result<()> {
    let netns = Netns::new("fresh")?;
    let path = netns.path().to_owned();
    let links = netns.ip_json("link show")?;
    let names: Vec<&str> = links
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|link| link["ifname"].as_str())
        .collect();
    assert_eq!(names, ["lo"]);
    assert_eq!(links[0]["flags"][1], "UP");
    assert_ne!(
        std::fs::metadata("/proc/self/ns/net")?.len(),
        netns.inode()?
    );
    drop(netns);
    assert!(!path.exists());
    Ok(())
}

#[test]
fn a_switch_keeps_its_ports_over_every_kind_of_restart() -> Result<()> {
    let node = Netns::new("node")?;
    let mut ovs = Ovs::start(&node, Datapath::Userspace)?;
    ovs.add_bridge("br0")?;
    ovs.vsctl(&[
        "add-port",
        "br0",
        "in1",
        "--",
        "set",
        "interface",
        "in1",
        "type=internal",
    ])?;
    node.ip_json("link show dev in1")?;
    assert_eq!(
        std::fs::read_to_string(ovs.rundir().join("ovs-vswitchd.pid"))?.trim(),
        ovs.vswitchd_pid()?.to_string()
    );
    let first = ovs.vswitchd_pid()?;

    ovs.kill_vswitchd()?;
    assert!(!Path::new("/proc").join(first.to_string()).exists());
    ovs.start_vswitchd()?;
    assert_ne!(ovs.vswitchd_pid()?, first);
    assert_eq!(ovs.vsctl(&["list-ports", "br0"])?, "in1");

    ovs.stop_vswitchd(true)?;
    assert!(
        node.ip_json("link show dev in1").is_err(),
        "a clean-up removes the tap"
    );
    ovs.start_vswitchd()?;
    node.ip_json("link show dev in1")?;

    ovs.restart_ovsdb()?;
    assert_eq!(ovs.vsctl(&["list-ports", "br0"])?, "in1");
    ovs.reload_datapath()?;
    assert_eq!(ovs.vsctl(&["list-ports", "br0"])?, "in1");
    ovs.wipe_database()?;
    assert_eq!(ovs.vsctl(&["list-br"])?, "");
    Ok(())
}
