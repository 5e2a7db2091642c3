//! Small steps on devices that several strategies share.

use std::time::Duration;

use netlink::{Link, LinkChange, MacAddr, Netlink};

use crate::error::{Error, Result};
use crate::host::{Host, Inside};
use crate::names;
use crate::record::{Attachment, Key};

/// How long a device may take to appear after vswitchd has numbered its port.
const APPEARS: Duration = Duration::from_secs(5);

/// How often is looked for it; it is nearly always there at the first look.
const POLL: Duration = Duration::from_millis(1);

/// Waits for the device of a port that vswitchd has just made.
pub(crate) async fn appeared(netlink: &Netlink, name: &str) -> Result<Link> {
    let deadline = tokio::time::Instant::now() + APPEARS;
    loop {
        if let Some(link) = netlink.link_by_name(name).await? {
            return Ok(link);
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(Error::NoDevice {
                name: name.to_owned(),
                waited: APPEARS,
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The device called `name`, or an error that says where it is missing.
pub(crate) async fn required(netlink: &Netlink, name: &str, place: &'static str) -> Result<Link> {
    netlink
        .link_by_name(name)
        .await?
        .ok_or_else(|| Error::Missing {
            name: name.to_owned(),
            place,
        })
}

/// Whether `link` carries the mark of `key`: its alias, or, before it has one, the MAC
/// that only the host end of this attachment's veth is born with. The kernel takes no
/// alias at birth, and a plugin may be killed between the two.
pub(crate) fn is_marked(link: &Link, key: &Key) -> bool {
    match &link.alias {
        Some(alias) => *alias == key.alias(),
        None => link.mac == Some(names::host_mac(&key.container_id, &key.ifname)),
    }
}

/// As [`is_marked`], for a device inside the pod of an attachment with a record: one of
/// the pod's name with the record's MAC was made for it, as ADD had found none there.
pub(crate) fn is_ours(link: &Link, key: &Key, mac: Option<MacAddr>) -> bool {
    is_marked(link, key)
        || (link.alias.is_none() && link.name == key.ifname && mac.is_some() && link.mac == mac)
}

/// Whether `link` is one that vswitchd makes: a tap or a port of the kernel datapath.
pub(crate) fn is_internal_port(link: &Link) -> bool {
    matches!(link.kind.as_deref(), Some("tun" | "openvswitch"))
}

/// Makes a device of the root namespace a mere carrier of frames: without IPv6 of
/// its own, which would announce the host on the pod's network. Must precede `up`.
pub(crate) fn mute(host: &Host, name: &str) -> Result<()> {
    let key = format!("net/ipv6/conf/{name}/disable_ipv6");
    match host.netns.sysctl_set(&key, "1") {
        // A kernel without IPv6 has nothing to mute.
        Err(error) if error.is_not_found() => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// Makes a device of the root namespace forward IPv6 without an address of its own.
/// Must precede `up`.
pub(crate) fn without_link_local(host: &Host, name: &str) -> Result<()> {
    for (key, value) in [("addr_gen_mode", "1"), ("accept_ra", "0")] {
        let key = format!("net/ipv6/conf/{name}/{key}");
        host.netns.sysctl_set(&key, value)?;
    }
    Ok(())
}

/// Moves the port of `record` from the root namespace into the pod, in one request
/// with all that can go along; it arrives down.
///
/// A port that is up is set down first by the kernel in the same request. On a kernel
/// datapath and on a tap alike that is safe while vswitchd holds the device.
pub(crate) async fn move_in(
    host: &Host,
    inside: &Inside,
    record: &Attachment,
    index: u32,
    name: &str,
) -> Result<Link> {
    let alias = record.key().alias();
    let change = LinkChange {
        netns: Some(&inside.netns),
        mac: Some(record.mac),
        mtu: (record.mtu != 0).then_some(record.mtu),
        name: Some(name),
        alias: Some(&alias),
        ..LinkChange::default()
    };
    host.netlink.change_link(index, &change).await?;
    required(&inside.netlink, name, "in the pod after it was moved there").await
}

/// Puts a device out of the way: down, and by the name that is swept later. False if
/// there was none, or if it is somebody else's.
pub(crate) async fn put_aside(inside: &Inside, record: &Attachment, link: &Link) -> Result<()> {
    let key = record.key();
    let aside = crate::names::aside_name(&key.container_id, &key.ifname);
    if link.name == aside {
        return Ok(());
    }
    if let Some(former) = inside.netlink.link_by_name(&aside).await? {
        // A second restart before the sweep of the first.
        inside.netlink.delete(former.index).await?;
    }
    // Kernels before 6.2 rename only what is down.
    inside.netlink.set_down(link.index).await?;
    let alias = key.alias();
    let change = LinkChange {
        name: Some(&aside),
        alias: Some(&alias),
        ..LinkChange::default()
    };
    Ok(inside.netlink.change_link(link.index, &change).await?)
}
