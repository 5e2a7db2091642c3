//! `macvlan`: the internal port stays in the root namespace under its own name, and
//! the pod's interface is a passthru macvlan over it.
//!
//! As the port never moves, the switch finds it after every restart, and MTU and
//! policing asked of the switch keep working. Costs about 2.6 % of packets per second.

use super::{Site, rename};
use crate::device::{self, is_internal_port, is_marked, put_aside};
use crate::error::{Error, Result};
use crate::host::{Host, Inside};
use crate::l3;
use crate::record::Attachment;
use crate::undo::Step;

/// Makes the port, and the macvlan straight in the pod.
pub(crate) async fn make(site: &mut Site<'_>) -> Result<()> {
    let lower = super::make_port(site).await?;
    site.undo.push(Step::PodLink(site.record.ifname.clone()));
    let link = rename::over(site.host, site.inside, site.record, &lower).await?;
    l3::configure(site.inside, site.record, link.index).await
}

/// Makes the macvlan anew over a port that was re-created; the old one went with its
/// old lower device, or lies over nothing.
pub(crate) async fn remake(host: &Host, inside: &Inside, record: &Attachment) -> Result<()> {
    let lower = device::required(&host.netlink, &record.port_name, "in the root namespace").await?;
    if !is_internal_port(&lower) {
        return Err(Error::LinkTaken {
            name: lower.name,
            found: lower.kind.unwrap_or_default(),
        });
    }
    if let Some(present) = inside.netlink.link_by_name(&record.ifname).await? {
        if present.kind.as_deref() == Some("macvlan") && present.lower == Some(lower.index) {
            return l3::ensure(inside, record, present.index).await;
        }
        if !is_marked(&present, &record.key()) {
            return Err(Error::LinkTaken {
                name: present.name,
                found: present.kind.unwrap_or_default(),
            });
        }
        put_aside(inside, record, &present).await?;
    }
    let link = rename::over(host, inside, record, &lower).await?;
    l3::configure(inside, record, link.index).await
}

/// Brings the lower device back: marked, without IPv6, up. Cheap, and safe to repeat.
pub(crate) async fn restore_host(host: &Host, record: &Attachment) -> Result<()> {
    let lower = device::required(&host.netlink, &record.port_name, "in the root namespace").await?;
    device::mute(host, &lower.name)?;
    let alias = record.key().alias();
    let change = netlink::LinkChange {
        alias: Some(&alias),
        up: Some(true),
        ..netlink::LinkChange::default()
    };
    Ok(host.netlink.change_link(lower.index, &change).await?)
}
