//! Bonds, where the kernel has them: in the VM they must exist, natively their absence must be told clearly.

use anyhow::Result;
use netlink::{BondSpec, FailOverMac, LinkChange};
use tests::rig::Rig;

use crate::node::{Node, bare, mac};

const SPEC: BondSpec<'static> = BondSpec {
    name: "eth0",
    mac: None,
    mtu: Some(1400),
    alias: Some("berth:c1/eth0"),
    fail_over_mac: FailOverMac::None,
    miimon: 100,
    up: true,
};

#[tokio::test]
async fn a_bond_carries_a_port_or_the_kernel_says_that_it_has_none() -> Result<()> {
    let pod = Node::new("pod")?;
    let spec = BondSpec {
        mac: Some(mac(1)),
        ..SPEC
    };
    let outcome = pod.netlink.create_bond(&spec).await;
    if !Rig::current().is_vm() && !std::path::Path::new("/sys/module/bonding").exists() {
        let error = outcome.expect_err("no bonding in this kernel");
        assert!(error.is_not_supported(), "{error}");
        assert!(error.to_string().contains("create bond eth0"), "{error}");
        assert_eq!(pod.netlink.link_by_name("eth0").await?, None);
        return Ok(());
    }
    let bond = outcome?;
    assert_eq!(
        (bond.kind.as_deref(), bond.mac, bond.mtu),
        (Some("bond"), Some(mac(1)), 1400)
    );
    assert_eq!(
        (bond.up, bond.alias.as_deref()),
        (true, Some("berth:c1/eth0"))
    );
    let seen = pod.ip("link show dev eth0")?;
    let data = &seen["linkinfo"]["info_data"];
    assert_eq!(
        (data["mode"].as_str(), data["miimon"].as_u64()),
        (Some("active-backup"), Some(100))
    );
    assert_eq!(data["fail_over_mac"], "none");

    let pair = pod
        .netlink
        .create_veth(&bare("in1", &pod.netns, "x"))
        .await?;
    pod.netlink.set_up(pair.peer_index).await?;
    pod.netlink
        .set_master(pair.link.index, Some(bond.index))
        .await?;
    let port = pod.link("in1").await?;
    assert_eq!(
        (port.master, port.mac, port.mtu),
        (Some(bond.index), Some(mac(1)), 1400)
    );
    assert!(port.up, "a bond sets its ports up");
    assert_eq!(
        pod.ip("link show dev eth0")?["linkinfo"]["info_data"]["active_slave"],
        "in1"
    );

    // A port that is up is refused; with the change in one request it goes down first.
    let other = pod
        .netlink
        .create_veth(&bare("in2", &pod.netns, "y"))
        .await?
        .link
        .index;
    pod.netlink.set_up(other).await?;
    pod.netlink
        .set_master(other, Some(bond.index))
        .await
        .expect_err("it is up");
    pod.netlink.set_down(other).await?;
    let change = LinkChange {
        master: Some(Some(bond.index)),
        ..LinkChange::default()
    };
    pod.netlink.change_link(other, &change).await?;
    assert_eq!(pod.link("in2").await?.master, Some(bond.index));

    // The bond outlives its port.
    assert!(pod.netlink.delete(pair.link.index).await?);
    assert_eq!(pod.link("eth0").await?.index, bond.index);
    Ok(())
}

#[tokio::test]
async fn without_a_mac_the_bond_takes_its_first_ports() -> Result<()> {
    if !Rig::current().is_vm() && !std::path::Path::new("/sys/module/bonding").exists() {
        let pod = Node::new("pod")?;
        let error = pod
            .netlink
            .create_bond(&SPEC)
            .await
            .expect_err("no bonding");
        assert!(error.is_not_supported(), "{error}");
        return Ok(());
    }
    let pod = Node::new("pod")?;
    let bond = pod.netlink.create_bond(&SPEC).await?;
    let port = pod
        .netlink
        .create_veth(&bare("in1", &pod.netns, "x"))
        .await?
        .link;
    pod.netlink.set_master(port.index, Some(bond.index)).await?;
    assert_eq!(pod.link("eth0").await?.mac, port.mac);
    Ok(())
}
