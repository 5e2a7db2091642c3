//! `bond`: the pod's interface is a bond over the internal port, which keeps its name.
//!
//! The switch finds the port by its name in whatever namespace, so on the kernel
//! datapath nothing is ever lost, and when a port must be re-created, the bond with
//! its addresses, routes and sockets stays. Costs about 2.6 % of packets per second.

use netlink::{BondSpec, FailOverMac, Link, LinkChange};

use super::Site;
use crate::device::{self, is_internal_port, is_marked, put_aside};
use crate::error::{Error, Result};
use crate::host::{Host, Inside};
use crate::l3;
use crate::record::Attachment;
use crate::undo::Step;

/// How often, in milliseconds, the bond looks at its slave's carrier: with carrier
/// off the bond drops packets, as it should while the switch is away.
const MIIMON: u32 = 100;

/// Makes the bond in the pod, the port on the switch, and enslaves the one to the other.
pub(crate) async fn make(site: &mut Site<'_>) -> Result<()> {
    site.undo.push(Step::PodLink(site.record.ifname.clone()));
    let master = create(site.inside, site.record).await?;
    let link = super::make_port(site).await?;
    site.undo.push(Step::PodLink(site.record.port_name.clone()));
    let slave = device::move_in(
        site.host,
        site.inside,
        site.record,
        link.index,
        &site.record.port_name,
    )
    .await?;
    enslave(site.inside, &slave, &master).await?;
    l3::configure(site.inside, site.record, master.index).await
}

async fn create(inside: &Inside, record: &Attachment) -> Result<Link> {
    let alias = record.key().alias();
    let spec = BondSpec {
        name: &record.ifname,
        mac: Some(record.mac),
        mtu: (record.mtu != 0).then_some(record.mtu),
        alias: Some(&alias),
        fail_over_mac: FailOverMac::None,
        miimon: MIIMON,
        up: false,
    };
    Ok(inside.netlink.create_bond(&spec).await?)
}

/// A bond takes only what is down; it sets its slaves up itself once it is up, and one
/// that joins later is set up here.
async fn enslave(inside: &Inside, slave: &Link, master: &Link) -> Result<()> {
    if slave.master != Some(master.index) {
        if slave.up {
            inside.netlink.set_down(slave.index).await?;
        }
        inside
            .netlink
            .set_master(slave.index, Some(master.index))
            .await?;
    }
    let up = LinkChange {
        up: Some(true),
        ..LinkChange::default()
    };
    Ok(inside.netlink.change_link(slave.index, &up).await?)
}

/// Gives the bond its slave again: the fresh port of the root namespace in place of a
/// dead one, or the one in the pod that lost its master. Makes the bond too where it
/// is gone.
pub(crate) async fn move_in(host: &Host, inside: &Inside, record: &Attachment) -> Result<()> {
    let netlink = &inside.netlink;
    let present = netlink.link_by_name(&record.ifname).await?;
    let (master, born) = match present {
        Some(link) if link.kind.as_deref() == Some("bond") => (link, false),
        Some(link) if is_marked(&link, &record.key()) => {
            put_aside(inside, record, &link).await?;
            (create(inside, record).await?, true)
        }
        Some(link) => {
            return Err(Error::LinkTaken {
                name: link.name,
                found: link.kind.unwrap_or_default(),
            });
        }
        None => (create(inside, record).await?, true),
    };
    let fresh = host
        .netlink
        .link_by_name(&record.port_name)
        .await?
        .filter(is_internal_port);
    let present = netlink.link_by_name(&record.port_name).await?;
    let mut dead = None;
    let slave = match (fresh, present) {
        (Some(fresh), present) => {
            if let Some(present) = present {
                put_aside(inside, record, &present).await?;
                dead = Some(present);
            }
            device::move_in(host, inside, record, fresh.index, &record.port_name).await?
        }
        (None, Some(slave)) => slave,
        (None, None) => {
            return Err(Error::Missing {
                name: record.port_name.clone(),
                place: "in the root namespace and in the pod",
            });
        }
    };
    enslave(inside, &slave, &master).await?;
    if let Some(dead) = dead {
        // Only now: a bond without any slave takes another MAC, and with that the kernel
        // forgets all its neighbours, those too that somebody has set for good.
        netlink.set_master(dead.index, None).await?;
    }
    if born {
        l3::configure(inside, record, master.index).await
    } else {
        l3::ensure(inside, record, master.index).await
    }
}
