//! Routes, read back by `ip`.

use std::net::IpAddr;

use anyhow::{Context, Result};
use ipnetwork::IpNetwork;
use netlink::{AddressOptions, Error, MAIN_TABLE, Route, SCOPE_LINK, SCOPE_UNIVERSE};
use nix::errno::Errno;

use crate::node::Node;

fn net(text: &str) -> IpNetwork {
    text.parse().expect("a network of the test")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address of the test")
}

async fn pod() -> Result<(Node, Node, u32)> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let (_, eth0) = root.join("host", &pod, "eth0").await?;
    let options = AddressOptions {
        nodad: true,
        no_prefix_route: true,
    };
    for address in ["10.1.2.3/32", "fd00::3/128"] {
        pod.netlink
            .add_address(eth0.index, net(address), options)
            .await?;
    }
    Ok((root, pod, eth0.index))
}

async fn read(pod: &Node, dev: u32, wanted: &Route) -> Result<Route> {
    let routes = pod.netlink.routes(Some(dev)).await?;
    let found = routes.iter().find(|route| route.satisfies(wanted)).cloned();
    found.with_context(|| format!("no {wanted:?} in {routes:?}"))
}

#[tokio::test]
async fn a_pods_default_routes_are_onlink() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    for (dst, gateway, family) in [
        ("0.0.0.0/0", "169.254.1.1", "-4"),
        ("::/0", "fe80::1", "-6"),
    ] {
        let mut route = Route::new(net(dst), eth0).via(ip(gateway));
        let error = pod.netlink.ensure_route(&route).await;
        if family == "-4" {
            // A link-local next hop is always on an IPv6 link.
            assert_eq!(
                error.expect_err("not reachable").errno(),
                Some(Errno::ENETUNREACH)
            );
        }
        route.onlink = true;
        pod.netlink.ensure_route(&route).await?;
        let seen = pod.ip(&format!("{family} route show default"))?;
        assert_eq!(
            (seen["dst"].as_str(), seen["gateway"].as_str()),
            (Some("default"), Some(gateway))
        );
        assert_eq!(seen["dev"], "eth0");
        assert_eq!(seen["flags"], serde_json::json!(["onlink"]));
        let read = read(&pod, eth0, &route).await?;
        assert_eq!(
            (read.dst, read.gateway, read.dev),
            (route.dst, route.gateway, eth0)
        );
        assert_eq!(
            (read.onlink, read.table, read.scope),
            (true, MAIN_TABLE, Some(SCOPE_UNIVERSE))
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_route_without_gateway_has_scope_link() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    for (dst, family) in [("10.9.0.7/32", "-4"), ("fd00:9::7/128", "-6")] {
        let route = Route::new(net(dst), eth0);
        pod.netlink.ensure_route(&route).await?;
        let host = dst.split('/').next().context("no host")?;
        let seen = pod.ip(&format!("{family} route show {dst}"))?;
        assert_eq!(seen["dst"], host);
        let read = read(&pod, eth0, &route).await?;
        assert_eq!(read.gateway, None);
        if family == "-4" {
            assert_eq!(
                (seen["scope"].as_str(), read.scope),
                (Some("link"), Some(SCOPE_LINK))
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn metrics_source_priority_and_table_are_kept() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    for (dst, src, family) in [
        ("10.9.0.0/16", "10.1.2.3", "-4"),
        ("fd00:9::/48", "fd00::3", "-6"),
    ] {
        for table in [MAIN_TABLE, 100, 70_000] {
            let route = Route {
                src: Some(ip(src)),
                mtu: Some(1400),
                advmss: Some(1360),
                priority: Some(50),
                table,
                ..Route::new(net(dst), eth0)
            };
            pod.netlink.ensure_route(&route).await?;
            let seen = pod.ip(&format!("{family} route show table {table} {dst}"))?;
            assert_eq!(
                (seen["prefsrc"].as_str(), seen["metric"].as_u64()),
                (Some(src), Some(50))
            );
            let metrics = &seen["metrics"][0];
            assert_eq!(
                (metrics["mtu"].as_u64(), metrics["advmss"].as_u64()),
                (Some(1400), Some(1360)),
                "{seen}"
            );
            let read = read(&pod, eth0, &route).await?;
            assert_eq!(
                (read.src, read.mtu, read.advmss),
                (route.src, Some(1400), Some(1360))
            );
            assert_eq!((read.priority, read.table), (Some(50), table));
        }
    }
    Ok(())
}

#[tokio::test]
async fn ensure_replaces_and_removal_is_idempotent() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    for (dst, old, new) in [
        ("10.9.0.0/16", "169.254.1.1", "169.254.1.2"),
        ("fd00:9::/48", "fe80::1", "fe80::2"),
    ] {
        let route = |gateway| Route {
            onlink: true,
            ..Route::new(net(dst), eth0).via(ip(gateway))
        };
        for gateway in [old, old, new] {
            pod.netlink.ensure_route(&route(gateway)).await?;
            let routes = pod.netlink.routes(Some(eth0)).await?;
            let gateways: Vec<_> = routes
                .iter()
                .filter(|read| read.dst == net(dst))
                .map(|read| read.gateway)
                .collect();
            assert_eq!(gateways, [Some(ip(gateway))]);
        }
        assert!(
            !pod.netlink.del_route(&route(old)).await?,
            "another gateway is another route"
        );
        assert!(pod.netlink.del_route(&route(new)).await?);
        assert!(!pod.netlink.del_route(&route(new)).await?);
        assert!(
            !pod.netlink
                .routes(Some(eth0))
                .await?
                .iter()
                .any(|read| read.dst == net(dst))
        );
        let elsewhere = Route::new(net(dst), 4242);
        assert!(!pod.netlink.del_route(&elsewhere).await?);
    }
    Ok(())
}

#[tokio::test]
async fn host_bits_are_ignored() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    for (dst, network) in [
        ("10.9.1.2/16", "10.9.0.0/16"),
        ("fd00:9::2/48", "fd00:9::/48"),
    ] {
        let route = Route::new(net(dst), eth0);
        pod.netlink.ensure_route(&route).await?;
        assert_eq!(read(&pod, eth0, &route).await?.dst, net(network));
        assert!(pod.netlink.del_route(&route).await?);
    }
    Ok(())
}

#[tokio::test]
async fn the_list_is_of_one_device_or_of_all() -> Result<()> {
    let (root, pod, eth0) = pod().await?;
    let (_, eth1) = root.join("host1", &pod, "eth1").await?;
    let first = Route::new(net("10.9.0.1/32"), eth0);
    let second = Route::new(net("10.9.0.2/32"), eth1.index);
    for route in [&first, &second] {
        pod.netlink.ensure_route(route).await?;
    }
    pod.fixture.sh("ip route add blackhole 10.10.0.0/16")?;
    let all = pod.netlink.routes(None).await?;
    assert!(all.iter().any(|route| route.satisfies(&first)));
    assert!(all.iter().any(|route| route.satisfies(&second)));
    assert!(
        !all.iter().any(|route| route.dst == net("10.10.0.0/16")),
        "it has no device"
    );
    assert!(
        !all.iter().any(|route| route.dst == net("10.1.2.3/32")),
        "the host's own address"
    );
    let of_eth1 = pod.netlink.routes(Some(eth1.index)).await?;
    assert!(of_eth1.iter().any(|route| route.satisfies(&second)));
    assert!(
        of_eth1.iter().all(|route| route.dev == eth1.index),
        "{of_eth1:?}"
    );
    let error = pod.netlink.routes(Some(4242)).await.expect_err("no device");
    assert!(
        error.is_no_device() && error.to_string().contains("the routes of device 4242"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn refusals_name_the_route() -> Result<()> {
    let (_root, pod, eth0) = pod().await?;
    let mixed = Route::new(net("10.9.0.0/16"), eth0).via(ip("fe80::1"));
    for error in [
        pod.netlink
            .ensure_route(&mixed)
            .await
            .expect_err("two families"),
        pod.netlink
            .del_route(&mixed)
            .await
            .expect_err("two families"),
    ] {
        assert!(
            matches!(&error, Error::Invalid { value, .. } if value == "fe80::1"),
            "{error}"
        );
    }
    pod.netlink.set_down(eth0).await?;
    let route = Route::new(net("10.9.0.0/16"), eth0);
    let error = pod
        .netlink
        .ensure_route(&route)
        .await
        .expect_err("the device is down");
    assert_eq!(error.errno(), Some(Errno::ENETDOWN));
    assert!(
        error
            .to_string()
            .contains(&format!("10.9.0.0/16 on device {eth0}")),
        "{error}"
    );
    Ok(())
}

#[test]
fn a_wanted_route_is_satisfied_by_the_kernels_reading_of_it() {
    let wanted = Route::new(net("fd00::/64"), 3);
    let actual = Route {
        priority: Some(1024),
        scope: Some(SCOPE_UNIVERSE),
        ..wanted.clone()
    };
    assert!(actual.satisfies(&wanted));
    let chosen = Route {
        src: Some(ip("fd00::1")),
        ..actual.clone()
    };
    assert!(chosen.satisfies(&wanted), "the kernel chose the source");
    let wanted = Route::new(net("10.0.0.0/8"), 3).via(ip("10.1.1.1"));
    let actual = Route {
        scope: Some(SCOPE_UNIVERSE),
        ..wanted.clone()
    };
    assert!(actual.satisfies(&wanted));
    for other in [
        Route {
            dev: 4,
            ..actual.clone()
        },
        Route {
            gateway: None,
            ..actual.clone()
        },
        Route {
            mtu: Some(1400),
            ..actual.clone()
        },
        Route {
            advmss: Some(1360),
            ..actual.clone()
        },
        Route {
            priority: Some(5),
            ..actual.clone()
        },
        Route {
            table: 100,
            ..actual.clone()
        },
        Route {
            scope: Some(SCOPE_LINK),
            ..actual.clone()
        },
        Route {
            dst: net("10.0.0.0/9"),
            ..actual.clone()
        },
    ] {
        assert!(!other.satisfies(&wanted), "{other:?}");
    }
    let onlink = Route {
        onlink: true,
        ..wanted
    };
    assert!(!actual.satisfies(&onlink));
}
