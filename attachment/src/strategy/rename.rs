//! `rename`: the internal port itself is the pod's interface.
//!
//! Nothing lies between the pod and the switch, so nothing is lost in throughput.
//! The price is that the switch knows the port by a name it no longer has. On the
//! userspace datapath that shows at vswitchd's restart only: the pod keeps a dead
//! tap, a fresh one appears in the root namespace, and `move_in` swaps them. The kernel
//! datapath has a file of its own, `rename_kernel`.

use netlink::{Link, MacvlanMode, MacvlanSpec};

use super::Site;
use crate::device::{self, is_internal_port, is_marked, put_aside};
use crate::error::{Error, Result};
use crate::host::{Host, Inside};
use crate::l3;
use crate::record::Attachment;
use crate::undo::Step;

/// Makes the port, moves it into the pod by the pod's name, and configures it.
pub(crate) async fn make(site: &mut Site<'_>) -> Result<()> {
    let link = super::make_port(site).await?;
    site.undo.push(Step::PodLink(site.record.ifname.clone()));
    let moved = device::move_in(
        site.host,
        site.inside,
        site.record,
        link.index,
        &site.record.ifname,
    )
    .await?;
    l3::configure(site.inside, site.record, moved.index).await
}

/// Brings the fresh port into the pod in place of whatever device of ours has the
/// pod's name there: a dead tap, which then waits aside, or a stand-in.
///
/// Each step leaves a state that this function starts from: the port may be in the
/// root namespace, or in the pod under either name.
pub(crate) async fn move_in(host: &Host, inside: &Inside, record: &Attachment) -> Result<()> {
    let netlink = &inside.netlink;
    let fresh = host.netlink.link_by_name(&record.port_name).await?;
    let present = netlink.link_by_name(&record.ifname).await?;
    let Some(fresh) = fresh.filter(is_internal_port) else {
        // Moved under its own name by a run that died before the renaming.
        if let Some(moved) = netlink.link_by_name(&record.port_name).await? {
            make_room(inside, record, present.as_ref(), None).await?;
            netlink.set_down(moved.index).await?;
            netlink.rename(moved.index, &record.ifname).await?;
            return l3::ensure(inside, record, moved.index).await;
        }
        return Err(Error::Missing {
            name: record.port_name.clone(),
            place: "in the root namespace and in the pod",
        });
    };
    make_room(inside, record, present.as_ref(), Some(fresh.index)).await?;
    let moved = device::move_in(host, inside, record, fresh.index, &record.ifname).await?;
    l3::configure(inside, record, moved.index).await?;
    if let Some(stand_in) = present.filter(|link| link.kind.as_deref() == Some("macvlan")) {
        // As long as it exists it takes what the port receives. Last, because the kernel
        // frees the port early in the deletion and answers late.
        inside.netlink.delete(stand_in.index).await?;
    }
    Ok(())
}

/// Frees the pod's name by putting aside what has it, as deleting that is slow.
async fn make_room(
    inside: &Inside,
    record: &Attachment,
    present: Option<&Link>,
    fresh: Option<u32>,
) -> Result<()> {
    let Some(present) = present else {
        return Ok(());
    };
    let dead = present.kind.as_deref() == Some("tun") && !present.running;
    let stand_in =
        present.kind.as_deref() == Some("macvlan") && fresh.is_some() && present.lower == fresh;
    if !is_marked(present, &record.key()) && !dead && !stand_in {
        return Err(Error::LinkTaken {
            name: present.name.clone(),
            found: present.kind.clone().unwrap_or_default(),
        });
    }
    put_aside(inside, record, present).await
}

/// Serves the pod at once by a macvlan over the fresh port, until it is moved.
pub(crate) async fn stand_in(host: &Host, inside: &Inside, record: &Attachment) -> Result<()> {
    if host
        .netlink
        .link_by_name(&record.port_name)
        .await?
        .is_none()
    {
        // vswitchd opens a tap of its port's name rather than making one, and if it is
        // quicker, it is its tap that is found below.
        host.netns.create_tap(&record.port_name)?;
    }
    let fresh = device::required(&host.netlink, &record.port_name, "in the root namespace").await?;
    let present = inside.netlink.link_by_name(&record.ifname).await?;
    if let Some(present) = &present
        && present.kind.as_deref() == Some("macvlan")
        && present.lower == Some(fresh.index)
    {
        return l3::ensure(inside, record, present.index).await;
    }
    make_room(inside, record, present.as_ref(), Some(fresh.index)).await?;
    let link = over(host, inside, record, &fresh).await?;
    l3::configure(inside, record, link.index).await
}

/// Makes a macvlan with the pod's name over a port in the root namespace.
pub(crate) async fn over(
    host: &Host,
    inside: &Inside,
    record: &Attachment,
    lower: &Link,
) -> Result<Link> {
    let alias = record.key().alias();
    device::mute(host, &lower.name)?;
    let change = netlink::LinkChange {
        mac: (lower.mac != Some(record.mac)).then_some(record.mac),
        mtu: (record.mtu != 0 && lower.mtu != record.mtu).then_some(record.mtu),
        alias: Some(&alias),
        up: Some(true),
        ..netlink::LinkChange::default()
    };
    host.netlink.change_link(lower.index, &change).await?;
    host.netlink
        .create_macvlan(&MacvlanSpec {
            name: &record.ifname,
            lower: lower.index,
            mode: MacvlanMode::Passthru,
            mac: None,
            mtu: (record.mtu != 0).then_some(record.mtu),
            netns: &inside.netns,
            up: false,
        })
        .await?;
    let link = device::required(&inside.netlink, &record.ifname, "in the pod").await?;
    inside.netlink.set_alias(link.index, &alias).await?;
    Ok(link)
}
