//! Changes to devices, read back by `ip`.

use anyhow::Result;
use netlink::LinkChange;

use crate::node::{Node, bare, mac};

#[tokio::test]
async fn lookups_find_by_name_and_index_and_say_none_for_neither() -> Result<()> {
    let node = Node::new("lookup")?;
    let lo = node.link("lo").await?;
    assert_eq!(
        (lo.index, lo.name.as_str(), lo.kind.as_deref()),
        (1, "lo", None)
    );
    assert_eq!((lo.mtu, lo.up, lo.running), (65536, true, true));
    assert_eq!((lo.master, lo.lower, lo.link_netns), (None, None, None));
    assert_eq!((lo.alias.as_deref(), lo.group), (None, 0));
    assert_eq!(node.netlink.link_by_index(1).await?, Some(lo));
    assert_eq!(node.netlink.link_by_name("nothing").await?, None);
    assert_eq!(node.netlink.link_by_index(4242).await?, None);
    Ok(())
}

#[tokio::test]
async fn an_alternative_name_is_not_the_name() -> Result<()> {
    let node = Node::new("altname")?;
    node.fixture
        .sh("ip link property add dev lo altname eth0")?;
    assert_eq!(node.netlink.link_by_name("eth0").await?, None);
    Ok(())
}

#[tokio::test]
async fn every_property_is_set_and_read() -> Result<()> {
    let node = Node::new("properties")?;
    let pair = node
        .netlink
        .create_veth(&bare("a", &node.netns, "b"))
        .await?;
    let (a, b) = (pair.link.index, pair.peer_index);
    node.netlink.set_mac(a, mac(1)).await?;
    node.netlink.set_mtu(a, 1442).await?;
    node.netlink.set_alias(a, "berth:c1/eth0").await?;
    node.netlink.rename(a, "renamed").await?;
    node.netlink.set_up(a).await?;

    let seen = node.ip("link show dev renamed")?;
    assert_eq!(seen["ifindex"], a);
    assert_eq!(seen["address"], mac(1).to_string());
    assert_eq!(seen["mtu"], 1442);
    assert_eq!(seen["ifalias"], "berth:c1/eth0");
    assert!(
        seen["flags"]
            .as_array()
            .is_some_and(|flags| flags.contains(&"UP".into())),
        "{seen}"
    );

    let link = node.link("renamed").await?;
    assert_eq!(
        (link.mac, link.mtu, link.alias.as_deref()),
        (Some(mac(1)), 1442, Some("berth:c1/eth0"))
    );
    assert_eq!(
        (link.up, link.running),
        (true, false),
        "the other end is down"
    );
    assert_eq!(
        (link.kind.as_deref(), link.lower, link.link_netns),
        (Some("veth"), Some(b), None)
    );
    assert_eq!(node.netlink.link_by_name("a").await?, None);

    node.netlink.set_up(b).await?;
    assert!(node.link("renamed").await?.running);
    node.netlink.set_down(a).await?;
    node.netlink.set_alias(a, "").await?;
    let link = node.link("renamed").await?;
    assert_eq!((link.up, link.running, link.alias), (false, false, None));
    assert_eq!(
        node.ip("link show dev renamed")?["ifalias"],
        serde_json::Value::Null
    );
    Ok(())
}

#[tokio::test]
async fn several_changes_go_in_one_request() -> Result<()> {
    let node = Node::new("batch")?;
    let index = node
        .netlink
        .create_veth(&bare("a", &node.netns, "b"))
        .await?
        .link
        .index;
    let change = LinkChange {
        mac: Some(mac(2)),
        mtu: Some(1300),
        name: Some("eth0"),
        alias: Some("all at once"),
        up: Some(true),
        ..LinkChange::default()
    };
    node.netlink.change_link(index, &change).await?;
    let seen = node.ip("link show dev eth0")?;
    assert_eq!(
        (seen["ifindex"].as_u64(), seen["mtu"].as_u64()),
        (Some(index.into()), Some(1300))
    );
    assert_eq!(seen["address"], mac(2).to_string());
    assert_eq!(seen["ifalias"], "all at once");
    assert!(node.link("eth0").await?.up);
    Ok(())
}

#[tokio::test]
async fn a_port_gets_its_master_and_loses_it() -> Result<()> {
    let node = Node::new("master")?;
    node.fixture.sh("ip link add br0 type bridge")?;
    let bridge = node.link("br0").await?.index;
    let index = node
        .netlink
        .create_veth(&bare("a", &node.netns, "b"))
        .await?
        .link
        .index;
    node.netlink.set_master(index, Some(bridge)).await?;
    assert_eq!(node.ip("link show dev a")?["master"], "br0");
    assert_eq!(node.link("a").await?.master, Some(bridge));
    node.netlink.set_master(index, None).await?;
    assert_eq!(
        node.ip("link show dev a")?["master"],
        serde_json::Value::Null
    );
    assert_eq!(node.link("a").await?.master, None);
    Ok(())
}

#[tokio::test]
async fn a_device_moves_and_is_renamed_on_the_way() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let pair = root
        .netlink
        .create_veth(&bare("a", &root.netns, "b"))
        .await?;
    root.netlink.set_up(pair.link.index).await?;
    root.netlink
        .move_to(pair.link.index, &pod.netns, Some("eth0"))
        .await?;
    assert_eq!(root.netlink.link_by_name("a").await?, None);
    let moved = pod.link("eth0").await?;
    assert_eq!(
        (moved.up, moved.kind.as_deref(), moved.mac),
        (false, Some("veth"), pair.link.mac)
    );
    assert_eq!(moved.lower, Some(pair.peer_index));
    assert!(
        moved.link_netns.is_some(),
        "the other end is elsewhere: {moved:?}"
    );
    assert_eq!(pod.ip("link show dev eth0")?["ifname"], "eth0");

    root.netlink
        .move_to(pair.peer_index, &pod.netns, None)
        .await?;
    let other = pod.link("b").await?;
    assert_eq!((other.lower, other.link_netns), (Some(moved.index), None));
    Ok(())
}

#[tokio::test]
async fn a_move_to_a_taken_name_leaves_the_device_where_it_was() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    pod.fixture
        .sh("ip link add eth0 type veth peer name other")?;
    let pair = root
        .netlink
        .create_veth(&bare("a", &root.netns, "b"))
        .await?;
    let error = root
        .netlink
        .move_to(pair.link.index, &pod.netns, Some("eth0"))
        .await
        .expect_err("eth0 is taken");
    assert!(error.is_exists(), "{error}");
    assert!(error.to_string().contains("eth0 is taken in"), "{error}");
    let names =
        |links: Vec<netlink::Link>| links.into_iter().map(|link| link.name).collect::<Vec<_>>();
    assert_eq!(names(pod.netlink.links().await?), ["lo", "other", "eth0"]);
    assert_eq!(names(root.netlink.links().await?), ["lo", "b", "a"]);
    Ok(())
}

#[tokio::test]
async fn a_moved_device_gets_another_index_where_its_own_is_taken() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let pair = root
        .netlink
        .create_veth(&bare("a", &root.netns, "b"))
        .await?;
    let taken = pod.netlink.create_veth(&bare("c", &pod.netns, "d")).await?;
    assert_eq!(
        pair.link.index, taken.link.index,
        "fresh namespaces count alike"
    );
    root.netlink
        .move_to(pair.link.index, &pod.netns, None)
        .await?;
    assert_ne!(pod.link("a").await?.index, pair.link.index);
    Ok(())
}
