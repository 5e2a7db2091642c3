//! Namespaces wired up by hand: what is compared with berth must not be made by it.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use netlink::{Netlink, VethPeer, VethSpec};
use tests::netns::Netns;
use tokio::runtime::Builder;

/// Make a veth pair, one end as `name` in `node`, the other as `eth0` in `pod`; the first is set up.
///
/// # Errors
/// When the kernel refuses.
pub fn veth(node: &Netns, name: &str, pod: &Netns) -> Result<()> {
    let peer = netlink::Netns::open(pod.path())?;
    let peer = VethPeer {
        netns: &peer,
        name: "eth0",
        mac: None,
        mtu: None,
    };
    let spec = VethSpec {
        name,
        mac: None,
        mtu: None,
        alias: None,
        up: true,
        peer,
    };
    on(node, async |netlink| {
        netlink.create_veth(&spec).await.map(drop)
    })
}

/// Move a device of `node` into `pod` under the name it has.
///
/// # Errors
/// When there is none, or the kernel refuses.
pub fn hand_over(node: &Netns, name: &str, pod: &Netns) -> Result<()> {
    let target = netlink::Netns::open(pod.path())?;
    on(node, async |netlink| {
        match netlink.link_by_name(name).await? {
            Some(link) => netlink
                .move_to(link.index, &target, None)
                .await
                .map(|_| true),
            None => Ok(false),
        }
    })?
    .then_some(())
    .with_context(|| format!("no device {name} in {}", node.name()))
}

/// Give a device of `pod` an address in a /16, and set it up.
///
/// # Errors
/// When `ip` fails.
pub fn address(pod: &Netns, device: &str, address: Ipv4Addr) -> Result<()> {
    pod.sh(&format!(
        "ip address add {address}/16 dev {device} && ip link set {device} up"
    ))
    .map(drop)
}

/// Run one piece of netlink work in a namespace.
fn on<T>(netns: &Netns, work: impl AsyncFnOnce(Netlink) -> netlink::Result<T>) -> Result<T> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime")?;
    Ok(runtime.block_on(async { work(netlink::Netns::open(netns.path())?.connect()?).await })?)
}
