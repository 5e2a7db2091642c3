//! `veth`: a pair with one end in the pod and the other a port of the switch.
//!
//! The one that works everywhere, and the slowest of those on a switch.

use netlink::{Link, VethPair, VethPeer, VethSpec};

use super::Site;
use crate::device::{self, is_ours};
use crate::error::{Error, Result};
use crate::host::{Host, Inside};
use crate::l3;
use crate::names;
use crate::record::{Attachment, Datapath, Port};
use crate::undo::Step;

/// Makes the pair, its far end born in the pod, and plugs the host end in.
pub(crate) async fn make(site: &mut Site<'_>) -> Result<()> {
    site.undo
        .push(Step::HostLink(site.record.port_name.clone()));
    let pair = create(site.host, site.inside, site.record).await?;
    checksums(site.inside, site.record)?;
    l3::configure(site.inside, site.record, pair.peer_index).await?;
    super::add_port(site).await
}

/// Creates the pair and sets the host end up. Shared with the routed strategy.
pub(crate) async fn create(host: &Host, inside: &Inside, record: &Attachment) -> Result<VethPair> {
    let alias = record.key().alias();
    let mtu = (record.mtu != 0).then_some(record.mtu);
    let host_mac = names::host_mac(&record.container_id, &record.ifname);
    let pair = host
        .netlink
        .create_veth(&VethSpec {
            name: &record.port_name,
            mac: Some(host_mac),
            mtu,
            alias: Some(&alias),
            up: false,
            peer: VethPeer {
                netns: &inside.netns,
                name: &record.ifname,
                mac: Some(record.mac),
                mtu,
            },
        })
        .await?;
    let routes_v6 = matches!(record.port, Port::Routed(_))
        && record.addresses.iter().any(|a| a.address.is_ipv6());
    if routes_v6 {
        device::without_link_local(host, &record.port_name)?;
    } else {
        device::mute(host, &record.port_name)?;
    }
    host.netlink.set_up(pair.link.index).await?;
    inside.netlink.set_alias(pair.peer_index, &alias).await?;
    Ok(pair)
}

/// Clears what is left of a pair that lost an end, so that a new one can be made.
/// Neither end can be alive: the kernel deletes both with either.
pub(crate) async fn clear(host: &Host, inside: &Inside, record: &Attachment) -> Result<()> {
    let key = record.key();
    for (netlink, name) in [
        (&host.netlink, &record.port_name),
        (&inside.netlink, &record.ifname),
    ] {
        let Some(link) = netlink.link_by_name(name).await? else {
            continue;
        };
        if !is_ours(&link, &key, Some(record.mac)) {
            return Err(taken(link));
        }
        netlink.delete(link.index).await?;
    }
    Ok(())
}

fn taken(link: Link) -> Error {
    Error::LinkTaken {
        name: link.name,
        found: link.kind.unwrap_or_else(|| "no kind".to_owned()),
    }
}

/// Makes the pair anew.
pub(crate) async fn remake(host: &Host, inside: &Inside, record: &Attachment) -> Result<()> {
    clear(host, inside, record).await?;
    let pair = create(host, inside, record).await?;
    checksums(inside, record)?;
    l3::configure(inside, record, pair.peer_index).await
}

/// Lets the pod compute its checksums on a userspace datapath: vswitchd takes packets
/// from the host end as they are, and would forward them with the checksum left open.
fn checksums(inside: &Inside, record: &Attachment) -> Result<()> {
    let userspace = record
        .port
        .switch()
        .is_some_and(|port| port.datapath == Datapath::Userspace);
    if userspace {
        inside.netns.set_checksum_offload(&record.ifname, false)?;
    }
    Ok(())
}

/// Marks the host end and sets it up.
pub(crate) async fn restore_host(host: &Host, record: &Attachment) -> Result<()> {
    let link = device::required(&host.netlink, &record.port_name, "in the root namespace").await?;
    let alias = record.key().alias();
    let change = netlink::LinkChange {
        alias: Some(&alias),
        up: Some(true),
        ..netlink::LinkChange::default()
    };
    Ok(host.netlink.change_link(link.index, &change).await?)
}
