//! Announcements, judged by the neighbour that hears them.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use netlink::AddressOptions;
use nix::errno::Errno;
use tests::wait;

use crate::node::{Node, mac};

const V4: &str = "10.1.2.3";
const V6: &str = "fd00::3";

/// The MAC that the host believes the address has.
fn believed(host: &Node, address: &str) -> Result<String> {
    let entry = host.ip(&format!("neighbour show {address} dev host"))?;
    let mac = entry["lladdr"].as_str().context("no MAC")?;
    Ok(mac.to_owned())
}

#[tokio::test]
async fn a_neighbour_that_knew_an_old_mac_learns_the_new_one() -> Result<()> {
    let host = Node::new("host")?;
    let pod = Node::new("pod")?;
    let (host_end, _) = host.join("host", &pod, "eth0").await?;
    let options = AddressOptions {
        nodad: true,
        ..AddressOptions::default()
    };
    for address in ["10.1.2.1/24", "fd00::1/64"] {
        host.netlink
            .add_address(host_end.index, address.parse()?, options)
            .await?;
    }
    for address in [V4, V6] {
        host.fixture.sh(&format!(
            "ip neighbour add {address} lladdr 02:00:00:00:00:99 dev host nud stale"
        ))?;
    }
    let addresses: Vec<IpAddr> = vec![V4.parse()?, V6.parse()?];
    pod.netns.announce("eth0", mac(5), &addresses)?;
    for address in [V4, V6] {
        let new = mac(5).to_string();
        let learned = || believed(&host, address).is_ok_and(|mac| mac == new);
        wait::until(Duration::from_secs(10), "the new MAC", learned)?;
    }
    Ok(())
}

#[tokio::test]
async fn without_the_device_or_down_the_refusal_names_it() -> Result<()> {
    let host = Node::new("host")?;
    let pod = Node::new("pod")?;
    let (_, eth0) = host.join("host", &pod, "eth0").await?;
    let addresses: Vec<IpAddr> = vec![V4.parse()?];
    let announce = |name| pod.netns.announce(name, mac(5), &addresses);
    let error = announce("eth1").expect_err("no such device");
    assert!(
        error.is_no_device() && error.to_string().contains("eth1"),
        "{error}"
    );
    pod.netlink.set_down(eth0.index).await?;
    let error = announce("eth0").expect_err("it is down");
    assert_eq!(error.errno(), Some(Errno::ENETDOWN), "{error}");
    Ok(())
}
