//! Neighbours, read back by `ip`.

use std::net::IpAddr;

use anyhow::Result;
use netlink::Neighbour;

use crate::node::{Node, mac};

#[tokio::test]
async fn a_permanent_neighbour_is_set_replaced_listed_and_removed() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let (_, eth0) = root.join("host", &pod, "eth0").await?;
    for gateway in ["169.254.1.1", "fe80::1"] {
        let ip: IpAddr = gateway.parse()?;
        for address in [mac(1), mac(1), mac(2)] {
            pod.netlink
                .ensure_neighbour(eth0.index, ip, address)
                .await?;
            let seen = pod.ip(&format!("neighbour show {gateway} dev eth0"))?;
            assert_eq!(seen["lladdr"], address.to_string());
            assert_eq!(seen["state"], serde_json::json!(["PERMANENT"]));
            let expected = Neighbour {
                dev: eth0.index,
                address: ip,
                mac: Some(address),
                permanent: true,
            };
            let listed = pod.netlink.neighbours(eth0.index).await?;
            assert_eq!(
                listed
                    .iter()
                    .filter(|entry| entry.address == ip)
                    .collect::<Vec<_>>(),
                [&expected]
            );
        }
        assert!(
            pod.netlink.neighbours(1).await?.is_empty(),
            "loopback has none"
        );
        assert!(pod.netlink.del_neighbour(eth0.index, ip).await?);
        assert!(
            !pod.netlink
                .neighbours(eth0.index)
                .await?
                .iter()
                .any(|entry| entry.address == ip)
        );
        assert!(!pod.netlink.del_neighbour(eth0.index, ip).await?);
    }
    Ok(())
}

#[tokio::test]
async fn it_takes_the_place_of_what_was_learned() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let (_, eth0) = root.join("host", &pod, "eth0").await?;
    let ip: IpAddr = "169.254.1.1".parse()?;
    pod.fixture
        .sh("ip neighbour add 169.254.1.1 lladdr 02:00:00:00:00:99 dev eth0 nud reachable")?;
    let listed = pod.netlink.neighbours(eth0.index).await?;
    let learned = listed.iter().find(|entry| entry.address == ip);
    assert!(learned.is_some_and(|entry| !entry.permanent), "{listed:?}");
    pod.netlink.ensure_neighbour(eth0.index, ip, mac(1)).await?;
    let seen = pod.ip("neighbour show 169.254.1.1 dev eth0")?;
    assert_eq!(
        (seen["lladdr"].as_str(), seen["state"][0].as_str()),
        (Some("02:be:27:00:00:01"), Some("PERMANENT"))
    );
    Ok(())
}

#[tokio::test]
async fn without_the_device_the_refusal_names_it() -> Result<()> {
    let node = Node::new("nothing")?;
    let ip: IpAddr = "169.254.1.1".parse()?;
    let error = node
        .netlink
        .ensure_neighbour(4242, ip, mac(1))
        .await
        .expect_err("no device");
    assert!(error.is_no_device(), "{error}");
    assert!(
        error
            .to_string()
            .contains("169.254.1.1 with 02:be:27:00:00:01 on device 4242"),
        "{error}"
    );
    let error = node
        .netlink
        .del_neighbour(4242, ip)
        .await
        .expect_err("no device");
    assert!(error.is_no_device(), "{error}");
    Ok(())
}
