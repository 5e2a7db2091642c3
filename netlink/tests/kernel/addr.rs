//! Addresses, read back by `ip`.

use anyhow::{Context, Result};
use ipnetwork::IpNetwork;
use netlink::AddressOptions;
use serde_json::Value;

use crate::node::Node;

const NODAD: AddressOptions = AddressOptions {
    nodad: true,
    no_prefix_route: false,
};

fn net(text: &str) -> IpNetwork {
    text.parse().expect("an address of the test")
}

/// What `ip address` shows of one address.
fn shown(node: &Node, address: &str) -> Result<Value> {
    let device = node.ip("address show dev eth0")?;
    let ip = address.split('/').next();
    let all = device["addr_info"].as_array().context("no addresses")?;
    let found = all.iter().find(|info| info["local"].as_str() == ip);
    found
        .cloned()
        .with_context(|| format!("no {address} in {all:?}"))
}

/// A namespace whose eth0 is up and has a working other end, so that IPv6 would check for duplicates.
async fn pod() -> Result<(Node, Node, u32)> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let (_, eth0) = root.join("host", &pod, "eth0").await?;
    // A check for duplicates that is begun stays begun, however slow the machine is.
    pod.netns
        .sysctl_set("net/ipv6/conf/eth0/dad_transmits", "100000")?;
    Ok((root, pod, eth0.index))
}

#[tokio::test]
async fn an_ipv4_address_has_broadcast_scope_and_no_end() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    let address = net("10.1.2.3/24");
    pod.netlink
        .add_address(eth0, address, AddressOptions::default())
        .await?;
    let seen = shown(&pod, "10.1.2.3")?;
    assert_eq!(
        (seen["prefixlen"].as_u64(), seen["broadcast"].as_str()),
        (Some(24), Some("10.1.2.255"))
    );
    assert_eq!(
        (seen["scope"].as_str(), seen["valid_life_time"].as_u64()),
        (Some("global"), Some(u32::MAX.into()))
    );
    assert_eq!(seen["preferred_life_time"], u32::MAX);
    assert_eq!(pod.ip("-4 route show dev eth0")?["dst"], "10.1.2.0/24");

    let addresses = pod.netlink.addresses(eth0).await?;
    let read = addresses
        .iter()
        .find(|read| read.address == address)
        .context("not listed")?;
    assert!(read.permanent && !read.secondary && !read.tentative && !read.deprecated);
    assert_eq!(read.scope, 0);

    let error = pod
        .netlink
        .add_address(eth0, address, AddressOptions::default())
        .await
        .expect_err("twice");
    assert!(
        error.is_exists() && error.to_string().contains("10.1.2.3/24 on device"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_host_address_has_no_broadcast() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    pod.netlink
        .add_address(eth0, net("10.1.2.3/32"), AddressOptions::default())
        .await?;
    let seen = shown(&pod, "10.1.2.3")?;
    assert_eq!(
        (seen["prefixlen"].as_u64(), &seen["broadcast"]),
        (Some(32), &Value::Null)
    );
    Ok(())
}

#[tokio::test]
async fn a_second_ipv4_address_of_the_network_is_secondary() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    for address in ["10.1.2.3/24", "10.1.2.4/24"] {
        pod.netlink
            .add_address(eth0, net(address), AddressOptions::default())
            .await?;
    }
    assert_eq!(shown(&pod, "10.1.2.4")?["secondary"], true);
    let read = pod.netlink.addresses(eth0).await?;
    let secondary: Vec<_> = read
        .iter()
        .filter(|read| read.secondary)
        .map(|read| read.address)
        .collect();
    assert_eq!(secondary, [net("10.1.2.4/24")]);
    Ok(())
}

#[tokio::test]
async fn an_ipv6_address_without_dad_is_usable_at_once() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    pod.netlink
        .add_address(eth0, net("fd00::3/64"), NODAD)
        .await?;
    let seen = shown(&pod, "fd00::3")?;
    assert_eq!(
        (seen["nodad"].as_bool(), &seen["tentative"]),
        (Some(true), &Value::Null)
    );
    let read = pod.netlink.addresses(eth0).await?;
    let read = read
        .iter()
        .find(|read| read.address == net("fd00::3/64"))
        .context("not listed")?;
    assert!(read.nodad && read.permanent && !read.tentative);

    pod.netlink
        .add_address(eth0, net("fd00::4/64"), AddressOptions::default())
        .await?;
    assert_eq!(
        shown(&pod, "fd00::4")?["tentative"],
        true,
        "the check was asked for"
    );
    Ok(())
}

#[tokio::test]
async fn a_prefix_route_can_be_left_out() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    let options = AddressOptions {
        no_prefix_route: true,
        ..NODAD
    };
    for address in ["10.1.2.3/24", "fd00::3/64"] {
        pod.netlink.add_address(eth0, net(address), options).await?;
        assert_eq!(shown(&pod, address)?["noprefixroute"], true);
    }
    assert!(
        pod.netlink
            .addresses(eth0)
            .await?
            .iter()
            .filter(|read| read.no_prefix_route)
            .count()
            == 2
    );
    let routes = pod.netlink.routes(Some(eth0)).await?;
    let prefixes = [net("10.1.2.0/24"), net("fd00::/64")];
    assert!(
        !routes.iter().any(|route| prefixes.contains(&route.dst)),
        "{routes:?}"
    );
    Ok(())
}

#[tokio::test]
async fn ensure_adds_once_and_removal_is_idempotent() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    for address in [net("10.1.2.3/24"), net("fd00::3/64")] {
        assert!(pod.netlink.ensure_address(eth0, address, NODAD).await?);
        assert!(!pod.netlink.ensure_address(eth0, address, NODAD).await?);
        let count = |addresses: Vec<netlink::Address>| {
            addresses
                .iter()
                .filter(|read| read.address == address)
                .count()
        };
        assert_eq!(count(pod.netlink.addresses(eth0).await?), 1);
        assert!(pod.netlink.del_address(eth0, address).await?);
        assert_eq!(count(pod.netlink.addresses(eth0).await?), 0);
        assert!(!pod.netlink.del_address(eth0, address).await?);
    }
    Ok(())
}

#[tokio::test]
async fn ensure_repairs_what_is_in_its_way() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    // About to expire, of another prefix length, not usable yet.
    pod.fixture
        .sh("ip address add 10.1.2.3/24 dev eth0 valid_lft 600 preferred_lft 0")?;
    pod.fixture
        .sh("ip address add fd00::3/128 dev eth0 nodad")?;
    pod.fixture.sh("ip address add fd00::4/64 dev eth0")?;
    for address in ["10.1.2.3/24", "fd00::3/64", "fd00::4/64"] {
        let address = net(address);
        assert!(
            pod.netlink.ensure_address(eth0, address, NODAD).await?,
            "{address}"
        );
        let all = pod.netlink.addresses(eth0).await?;
        let same: Vec<_> = all
            .iter()
            .filter(|read| read.address.ip() == address.ip())
            .collect();
        assert_eq!(same.len(), 1, "{same:?}");
        assert_eq!(same[0].address, address);
        assert!(
            same[0].permanent && !same[0].deprecated && !same[0].tentative,
            "{:?}",
            same[0]
        );
        assert!(
            !pod.netlink.ensure_address(eth0, address, NODAD).await?,
            "{address}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_ipv4_address_of_another_prefix_is_another_address() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    pod.netlink
        .add_address(eth0, net("10.1.2.3/32"), AddressOptions::default())
        .await?;
    assert!(
        pod.netlink
            .ensure_address(eth0, net("10.1.2.3/24"), NODAD)
            .await?
    );
    let all: Vec<_> = pod
        .netlink
        .addresses(eth0)
        .await?
        .into_iter()
        .map(|read| read.address)
        .collect();
    assert!(
        all.contains(&net("10.1.2.3/32")) && all.contains(&net("10.1.2.3/24")),
        "{all:?}"
    );
    Ok(())
}

#[tokio::test]
async fn only_the_devices_own_addresses_are_listed_and_no_device_is_an_error() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    pod.netlink
        .add_address(eth0, net("10.1.2.3/24"), AddressOptions::default())
        .await?;
    let lo: Vec<_> = pod
        .netlink
        .addresses(1)
        .await?
        .into_iter()
        .map(|read| read.address)
        .collect();
    assert_eq!(lo, [net("127.0.0.1/8"), net("::1/128")]);
    for error in [
        pod.netlink.addresses(4242).await.expect_err("no device"),
        pod.netlink
            .add_address(4242, net("10.1.2.3/24"), NODAD)
            .await
            .expect_err("no device"),
        pod.netlink
            .ensure_address(4242, net("fd00::3/64"), NODAD)
            .await
            .expect_err("no device"),
        pod.netlink
            .del_address(4242, net("10.1.2.3/24"))
            .await
            .expect_err("no device"),
    ] {
        assert!(
            error.is_no_device() && error.to_string().contains("device 4242"),
            "{error}"
        );
    }
    Ok(())
}
