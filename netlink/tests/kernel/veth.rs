//! veth pairs with ends in two namespaces.

use anyhow::Result;
use netlink::{VethPeer, VethSpec};

use crate::node::{Node, bare, mac};

#[tokio::test]
async fn both_ends_are_born_where_they_belong_with_everything_asked_for() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let spec = VethSpec {
        name: "brt0123456789ab",
        mac: Some(mac(1)),
        mtu: Some(1450),
        alias: Some("berth:0123/eth0"),
        up: true,
        peer: VethPeer {
            netns: &pod.netns,
            name: "eth0",
            mac: Some(mac(2)),
            mtu: Some(1400),
        },
    };
    let pair = root.netlink.create_veth(&spec).await?;

    let seen = root.ip("link show dev brt0123456789ab")?;
    assert_eq!(seen["ifindex"], pair.link.index);
    assert_eq!(seen["address"], mac(1).to_string());
    assert_eq!(
        (seen["mtu"].as_u64(), seen["ifalias"].as_str()),
        (Some(1450), Some("berth:0123/eth0"))
    );
    assert_eq!(seen["linkinfo"]["info_kind"], "veth");
    assert_eq!(seen["link_index"], pair.peer_index);
    let seen = pod.ip("link show dev eth0")?;
    assert_eq!(seen["ifindex"], pair.peer_index);
    assert_eq!(seen["address"], mac(2).to_string());
    assert_eq!(seen["mtu"], 1400);

    assert_eq!(root.link("brt0123456789ab").await?, pair.link);
    assert!(pair.link.up && !pair.link.running && pair.link.link_netns.is_some());
    let peer = pod.link("eth0").await?;
    assert!(!peer.up);
    assert_eq!(peer.lower, Some(pair.link.index));
    assert_eq!(root.netlink.link_by_name("eth0").await?, None);

    pod.netlink.set_up(peer.index).await?;
    assert!(root.link("brt0123456789ab").await?.running);
    Ok(())
}

#[tokio::test]
async fn a_name_taken_on_either_side_leaves_nothing_on_the_other() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    root.fixture.sh("ip link add taken type veth peer name x")?;
    pod.fixture.sh("ip link add eth0 type veth peer name y")?;
    let error = root
        .netlink
        .create_veth(&bare("taken", &pod.netns, "eth1"))
        .await
        .expect_err("taken is taken");
    assert!(
        error.is_exists() && error.to_string().contains("taken with peer eth1"),
        "{error}"
    );
    assert_eq!(pod.netlink.link_by_name("eth1").await?, None);
    let error = root
        .netlink
        .create_veth(&bare("free", &pod.netns, "eth0"))
        .await
        .expect_err("eth0 is taken");
    assert!(error.is_exists(), "{error}");
    assert_eq!(root.netlink.link_by_name("free").await?, None);
    Ok(())
}

#[tokio::test]
async fn an_alias_that_is_refused_leaves_no_pair() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let alias = "x".repeat(300);
    let spec = VethSpec {
        alias: Some(&alias),
        ..bare("host", &pod.netns, "eth0")
    };
    root.netlink
        .create_veth(&spec)
        .await
        .expect_err("too long an alias");
    assert_eq!(root.netlink.link_by_name("host").await?, None);
    assert_eq!(pod.netlink.link_by_name("eth0").await?, None);
    Ok(())
}

#[tokio::test]
async fn the_longest_alias_fits() -> Result<()> {
    let root = Node::new("root")?;
    let alias = "x".repeat(255);
    let spec = VethSpec {
        alias: Some(&alias),
        ..bare("host", &root.netns, "peer")
    };
    root.netlink.create_veth(&spec).await?;
    assert_eq!(root.link("host").await?.alias, Some(alias));
    Ok(())
}
