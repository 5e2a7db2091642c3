//! Addresses, routes, neighbours and sysctls of the pod's device, from the record.
//!
//! One idempotent function serves ADD, CHECK's repair and re-attachment, so that a
//! pod is configured the same way however it came about.

use std::os::fd::OwnedFd;

use netlink::{AddressOptions, LinkChange, MAIN_TABLE, Netns};

use crate::error::Result;
use crate::host::Inside;
use crate::record::{Attachment, Route};

/// A route of the record as the kernel takes it.
pub(crate) fn kernel_route(route: &Route, dev: u32) -> netlink::Route {
    netlink::Route {
        dst: route.dst,
        gateway: route.gateway,
        dev,
        onlink: route.onlink,
        src: None,
        mtu: route.mtu,
        advmss: route.advmss,
        priority: route.priority,
        table: route.table.unwrap_or(MAIN_TABLE),
        scope: route.scope,
    }
}

/// Brings device `index` of the pod to what the record says, in the order the kernel
/// needs: sysctls, which take effect when it goes up; up; addresses, without which
/// gateways are unreachable; neighbours; routes.
pub(crate) async fn ensure(inside: &Inside, record: &Attachment, index: u32) -> Result<()> {
    sysctls(inside, record)?;
    let link = inside.netlink.link_by_index(index).await?;
    let has_mac = link.is_some_and(|link| link.mac == Some(record.mac));
    let change = LinkChange {
        // A MAC that is set, be it the same, makes the kernel forget all neighbours, those
        // too that somebody has set for good.
        mac: (!has_mac).then_some(record.mac),
        mtu: (record.mtu != 0).then_some(record.mtu),
        up: Some(true),
        ..LinkChange::default()
    };
    inside.netlink.change_link(index, &change).await?;
    layer3(inside, record, index).await
}

/// As [`ensure`] for a device that was just made with the right MAC and MTU.
pub(crate) async fn configure(inside: &Inside, record: &Attachment, index: u32) -> Result<()> {
    sysctls(inside, record)?;
    inside.netlink.set_up(index).await?;
    layer3(inside, record, index).await
}

/// Tells the pod's neighbours on the switch where its addresses are. That they are not
/// told is no failure: they will ask. The socket it was done with is returned: to close
/// it takes some ten milliseconds, which nobody should wait for.
pub fn announce(record: &Attachment) -> Option<OwnedFd> {
    record.port.switch()?;
    let addresses: Vec<_> = record.addresses.iter().map(|a| a.address.ip()).collect();
    let told = Netns::open(&record.netns.path)
        .and_then(|netns| netns.announce(&record.ifname, record.mac, &addresses));
    told.inspect_err(|error| {
        tracing::debug!(key = %record.key(), %error, "addresses not announced");
    })
    .ok()
}

/// Makes the pod ask again at once for neighbours that have not answered: left alone, it
/// asks once a second.
pub(crate) async fn ask_again(inside: &Inside, record: &Attachment) -> Result<()> {
    let link = crate::device::required(&inside.netlink, &record.ifname, "in the pod").await?;
    for neighbour in inside.netlink.neighbours(link.index).await? {
        if neighbour.mac.is_none() && !neighbour.permanent {
            inside
                .netlink
                .del_neighbour(link.index, neighbour.address)
                .await?;
        }
    }
    Ok(())
}

fn sysctls(inside: &Inside, record: &Attachment) -> Result<()> {
    for (key, value) in &record.sysctls {
        inside.netns.sysctl_set(key, value)?;
    }
    Ok(())
}

async fn layer3(inside: &Inside, record: &Attachment, index: u32) -> Result<()> {
    let netlink = &inside.netlink;
    let options = AddressOptions {
        nodad: true,
        no_prefix_route: false,
    };
    for address in &record.addresses {
        netlink
            .ensure_address(index, address.address, options)
            .await?;
    }
    for neighbour in &record.neighbours {
        netlink
            .ensure_neighbour(index, neighbour.address, neighbour.mac)
            .await?;
    }
    for route in &record.routes {
        netlink.ensure_route(&kernel_route(route, index)).await?;
    }
    Ok(())
}
