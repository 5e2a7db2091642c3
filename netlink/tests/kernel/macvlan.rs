//! macvlan devices in a pod over a device in root.

use anyhow::Result;
use netlink::{MacvlanMode, MacvlanSpec};

use crate::node::{Node, bare, mac};

fn passthru<'a>(lower: u32, pod: &'a Node) -> MacvlanSpec<'a> {
    MacvlanSpec {
        name: "eth0",
        lower,
        mode: MacvlanMode::Passthru,
        mac: None,
        mtu: None,
        netns: &pod.netns,
        up: false,
    }
}

#[tokio::test]
async fn a_passthru_macvlan_is_born_in_the_pod_with_the_lowers_mac() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let lower = root
        .netlink
        .create_veth(&bare("lower", &root.netns, "x"))
        .await?
        .link;
    root.netlink
        .create_macvlan(&passthru(lower.index, &pod))
        .await?;
    let seen = pod.ip("link show dev eth0")?;
    assert_eq!(seen["linkinfo"]["info_kind"], "macvlan");
    assert_eq!(seen["linkinfo"]["info_data"]["mode"], "passthru");
    assert_eq!(seen["link_index"], lower.index);
    let link = pod.link("eth0").await?;
    assert_eq!(
        (link.mac, link.mtu, link.lower),
        (lower.mac, 1500, Some(lower.index))
    );
    assert!(link.link_netns.is_some() && !link.up);
    assert_eq!(root.netlink.link_by_name("eth0").await?, None);
    Ok(())
}

#[tokio::test]
async fn mac_mtu_and_state_are_as_asked() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let lower = root
        .netlink
        .create_veth(&bare("lower", &root.netns, "x"))
        .await?
        .link;
    root.netlink.set_up(lower.index).await?;
    let spec = MacvlanSpec {
        mac: Some(mac(7)),
        mtu: Some(1400),
        up: true,
        ..passthru(lower.index, &pod)
    };
    root.netlink.create_macvlan(&spec).await?;
    let seen = pod.ip("link show dev eth0")?;
    assert_eq!(seen["address"], mac(7).to_string());
    assert_eq!(seen["mtu"], 1400);
    assert!(pod.link("eth0").await?.up);
    assert_eq!(
        root.link("lower").await?.mac,
        Some(mac(7)),
        "passthru: the lower has the same"
    );
    Ok(())
}

#[tokio::test]
async fn in_bridge_mode_the_mac_is_the_macvlans_own() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let lower = root
        .netlink
        .create_veth(&bare("lower", &root.netns, "x"))
        .await?
        .link;
    let spec = MacvlanSpec {
        mode: MacvlanMode::Bridge,
        mac: Some(mac(8)),
        ..passthru(lower.index, &pod)
    };
    root.netlink.create_macvlan(&spec).await?;
    assert_eq!(
        pod.ip("link show dev eth0")?["linkinfo"]["info_data"]["mode"],
        "bridge"
    );
    assert_eq!(pod.link("eth0").await?.mac, Some(mac(8)));
    assert_eq!(root.link("lower").await?.mac, lower.mac);
    Ok(())
}

#[tokio::test]
async fn what_stands_in_the_way_is_told() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let lower = root
        .netlink
        .create_veth(&bare("lower", &root.netns, "x"))
        .await?
        .link;
    let error = root
        .netlink
        .create_macvlan(&passthru(4242, &pod))
        .await
        .expect_err("no lower");
    assert!(
        error.is_no_device() && error.to_string().contains("eth0 over device 4242"),
        "{error}"
    );
    let too_large = MacvlanSpec {
        mtu: Some(9000),
        ..passthru(lower.index, &pod)
    };
    let error = root
        .netlink
        .create_macvlan(&too_large)
        .await
        .expect_err("larger than the lower's");
    assert_eq!(error.errno(), Some(nix::errno::Errno::EINVAL), "{error}");

    root.netlink
        .create_macvlan(&passthru(lower.index, &pod))
        .await?;
    let free = root.link("x").await?.index;
    let error = root
        .netlink
        .create_macvlan(&passthru(free, &pod))
        .await
        .expect_err("taken");
    assert!(error.is_exists(), "{error}");
    let second = MacvlanSpec {
        name: "eth1",
        ..passthru(lower.index, &pod)
    };
    root.netlink
        .create_macvlan(&second)
        .await
        .expect_err("passthru takes one only");
    assert_eq!(pod.netlink.links().await?.len(), 2, "lo and eth0");
    Ok(())
}

#[tokio::test]
async fn it_dies_with_its_lower() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let lower = root
        .netlink
        .create_veth(&bare("lower", &root.netns, "x"))
        .await?
        .link;
    root.netlink
        .create_macvlan(&passthru(lower.index, &pod))
        .await?;
    assert!(root.netlink.delete(lower.index).await?);
    assert_eq!(pod.netlink.link_by_name("eth0").await?, None);
    Ok(())
}
