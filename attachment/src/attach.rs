//! ADD: complete and write the record, make the devices, undo everything on error.

use netlink::{MacAddr, Netns};

use crate::device::{is_marked, is_ours};
use crate::error::{Error, Result};
use crate::host::{Host, Inside};
use crate::names;
use crate::ports::Ports;
use crate::record::{Attachment, Phase};
use crate::store::Store;
use crate::strategy::{Site, Strategy, routed};
use crate::undo::Undo;

/// The MTU where nothing says otherwise.
const ETHERNET_MTU: u32 = 1500;

/// Attaches a pod as `record` says.
///
/// The record is completed first (MTU, external ids, the routes and neighbours of a
/// routed port), written in phase `adding` before the first change, and completed
/// again (the port's number) by what was made. The caller writes it in phase `ready`
/// before it answers, and holds the attachment's lock from before this call.
///
/// # Errors
/// After an error nothing is left: no device, no port, no record; or else the error is
/// [`Error::NotUndone`], and the record stays in phase `deleting` for the daemon.
pub async fn attach(host: &Host, store: &Store, record: &mut Attachment) -> Result<()> {
    let key = record.key();
    // A corrupt record says nothing about what is there; the marks do.
    let former = store.read(&key).ok().flatten();
    if former
        .as_ref()
        .is_some_and(|former| former.phase == Phase::Ready)
    {
        return Err(Error::Exists { key });
    }
    let netns = Netns::open(&record.netns.path)?;
    if netns == host.netns {
        return Err(Error::HostNetns {
            path: record.netns.path.clone(),
        });
    }
    let inside = Inside::open(record)?;
    let ports = match record.port.switch() {
        Some(port) => {
            let ports = Ports::connect(&port.socket).await?;
            ports.check_bridge(port).await?;
            Some(ports)
        }
        None => None,
    };
    let former_mac = former.map(|former| former.mac);
    free(host, &inside, ports.as_ref(), record, former_mac).await?;
    complete(host, store, record).await?;

    record.phase = Phase::Adding;
    store.write(record)?;
    let mut undo = Undo::new(key.clone());
    let strategy = record.strategy();
    let made = strategy
        .make(&mut Site {
            host,
            inside: &inside,
            store,
            ports: ports.as_ref(),
            record,
            undo: &mut undo,
        })
        .await;
    let made = match made {
        Ok(()) => gateways(host, record).await,
        Err(error) => Err(error),
    };
    let Err(cause) = made else {
        return Ok(());
    };
    match undo.unwind(host, &inside, ports.as_ref()).await {
        Ok(()) => {
            store.remove(&key)?;
            Err(cause)
        }
        Err(undo) => {
            record.phase = Phase::Deleting;
            store.write(record)?;
            Err(Error::NotUndone {
                cause: Box::new(cause),
                undo: Box::new(undo),
            })
        }
    }
}

/// Makes sure that every name the attachment will use is free, taking away what an ADD
/// of the same key that was killed has left: that carries our marks.
async fn free(
    host: &Host,
    inside: &Inside,
    ports: Option<&Ports>,
    record: &Attachment,
    former_mac: Option<MacAddr>,
) -> Result<()> {
    let key = record.key();
    let row = match ports {
        Some(ports) => ports.ours(&key).await?,
        None => None,
    };
    let in_root = host.netlink.link_by_name(&record.port_name).await?;
    let in_pod = inside.netlink.link_by_name(&record.ifname).await?;
    if let Some(link) = in_root
        .as_ref()
        .filter(|link| !is_marked(link, &key) && row.is_none())
    {
        return Err(Error::LinkTaken {
            name: link.name.clone(),
            found: link.kind.clone().unwrap_or_else(|| "no kind".to_owned()),
        });
    }
    if in_pod
        .as_ref()
        .is_some_and(|link| !is_ours(link, &key, former_mac))
    {
        return Err(Error::PodLinkExists {
            ifname: record.ifname.clone(),
            path: record.netns.path.clone(),
        });
    }
    if row.is_none() && in_root.is_none() && in_pod.is_none() {
        return Ok(());
    }
    tracing::info!(%key, "taking away what an earlier ADD left");
    if let Some(ports) = ports {
        ports.remove(&key).await?;
    }
    crate::detach::remove_links(host, Some(inside), &key, former_mac).await
}

/// Fills in what the caller left open.
async fn complete(host: &Host, store: &Store, record: &mut Attachment) -> Result<()> {
    if record.mtu == 0 {
        record.mtu = match record.port.switch() {
            Some(port) => match host.netlink.link_by_name(&port.bridge).await? {
                Some(link) => link.mtu,
                None => ETHERNET_MTU,
            },
            None => uplink_mtu(host).await?,
        };
    }
    if record.strategy() == Strategy::Routed {
        routed::prepare(record);
    }
    if record.addresses.iter().any(|a| a.address.is_ipv6()) {
        // The allocator vouches for the addresses, and the link-local one is made of a
        // MAC that is ours alone: a second of duplicate detection would delay every pod.
        let key = format!("net/ipv6/conf/{}/accept_dad", record.ifname);
        record.sysctls.entry(key).or_insert_with(|| "0".to_owned());
    }
    let ids = names::external_ids(record, store.state_dir());
    if let Some(port) = record.port.switch_mut() {
        // Ours win: they are what proves the port to be ours.
        port.external_ids.extend(ids);
    }
    Ok(())
}

/// MTU of the device with the default route: what a routed pod can send without
/// fragmentation.
async fn uplink_mtu(host: &Host) -> Result<u32> {
    let routes = host.netlink.routes(None).await?;
    let uplink = routes
        .iter()
        .filter(|route| route.dst.prefix() == 0 && route.table == netlink::MAIN_TABLE)
        .min_by_key(|route| (route.dst.is_ipv6(), route.priority.unwrap_or(0)));
    Ok(match uplink {
        Some(route) => host
            .netlink
            .link_by_index(route.dev)
            .await?
            .map_or(ETHERNET_MTU, |link| link.mtu),
        None => ETHERNET_MTU,
    })
}

/// Gives the bridge's own port its gateway addresses (`isGateway`) and sets it up.
/// They are shared by all pods of the bridge and never taken away.
pub(crate) async fn gateways(host: &Host, record: &Attachment) -> Result<()> {
    let Some(port) = record
        .port
        .switch()
        .filter(|port| !port.gateways.is_empty())
    else {
        return Ok(());
    };
    let bridge =
        crate::device::required(&host.netlink, &port.bridge, "in the root namespace").await?;
    if !bridge.up {
        host.netlink.set_up(bridge.index).await?;
    }
    let options = netlink::AddressOptions {
        nodad: true,
        no_prefix_route: false,
    };
    for address in &port.gateways {
        host.netlink
            .ensure_address(bridge.index, *address, options)
            .await?;
    }
    Ok(())
}
