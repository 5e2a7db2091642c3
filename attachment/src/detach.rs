//! DEL: take down everything of a key, with or without a record, as often as asked.
//!
//! Works from names and marks alone, so that it does not matter which strategy made
//! what, or how far. Errors are collected and the rest goes on.

use std::path::{Path, PathBuf};

use netlink::{Link, MacAddr, Netns};

use crate::device::{is_marked, is_ours};
use crate::error::{Error, Result};
use crate::host::{Host, Inside};
use crate::names;
use crate::ports::Ports;
use crate::record::{Attachment, Key, Phase};
use crate::store::Store;
use crate::strategy::rename_kernel;

/// What is to be taken down.
#[derive(Debug, Clone)]
pub struct DetachRequest<'a> {
    /// The attachment.
    pub key: &'a Key,
    /// Its record, where there is one.
    pub record: Option<&'a Attachment>,
    /// Namespace the runtime named; the record's is used otherwise.
    pub netns: Option<&'a Path>,
    /// OVSDB socket of the configuration, for when there is no record; `None` for a
    /// network without a switch.
    pub socket: Option<&'a Path>,
}

/// How it went.
#[derive(Debug, Default)]
pub struct Detached {
    /// What could not be taken down. Empty: nothing of the attachment is left.
    pub errors: Vec<Error>,
}

impl Detached {
    /// Whether the only trouble is a switch that does not answer: with a record in
    /// phase `deleting`, the daemon takes the port away when the switch is back.
    pub fn only_switch_away(&self) -> bool {
        !self.errors.is_empty() && self.errors.iter().all(Error::is_retryable)
    }
}

/// Takes an attachment down.
///
/// A record is first written in phase `deleting`, so that a crash from here on is
/// finished by anyone; it is the caller's to remove, after all else that belongs to
/// the attachment. A namespace that is gone, or that is not the record's any more, is
/// no error, and nothing in it is touched.
pub async fn detach(host: &Host, store: &Store, request: &DetachRequest<'_>) -> Detached {
    let mut errors = Vec::new();
    if let Some(record) = request.record
        && record.phase != Phase::Deleting
    {
        let mut record = record.clone();
        record.phase = Phase::Deleting;
        if let Err(error) = store.write(&record) {
            errors.push(error.into());
        }
    }
    let inside = match inside(host, request) {
        Ok(inside) => inside,
        Err(error) => {
            errors.push(error);
            None
        }
    };
    if let Some(inside) = &inside
        && let Err(error) = rename_kernel::name_back(inside, request.key).await
    {
        errors.push(error);
    }
    let mut sockets: Vec<PathBuf> = Vec::new();
    let recorded = request.record.and_then(|r| r.port.switch());
    sockets.extend(recorded.map(|port| port.socket.clone()));
    if request.record.is_none() {
        sockets.extend(request.socket.map(Path::to_owned));
    }
    for socket in sockets {
        // The row first: vswitchd then deletes its device itself, and does not take
        // the disappearance of a veth for a failure.
        if let Err(error) = remove_row(&socket, request.key).await {
            errors.push(error);
        }
    }
    let mac = request.record.map(|record| record.mac);
    if let Err(error) = remove_links(host, inside.as_ref(), request.key, mac).await {
        errors.push(error);
    }
    Detached { errors }
}

async fn remove_row(socket: &Path, key: &Key) -> Result<()> {
    let ports = Ports::connect(socket).await?;
    ports.remove(key).await.map(drop)
}

/// The pod's namespace if it is there and still the right one.
fn inside(host: &Host, request: &DetachRequest<'_>) -> Result<Option<Inside>> {
    let recorded = request.record.map(|record| record.netns.path.as_path());
    let Some(path) = request.netns.or(recorded) else {
        return Ok(None);
    };
    let netns = match Netns::open(path) {
        Ok(netns) => netns,
        Err(netlink::Error::NotFound { .. } | netlink::Error::NotNetns { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if netns == host.netns {
        return Ok(None);
    }
    if let Some(record) = request.record
        && (record.netns.dev, record.netns.inode) != (netns.id().dev, netns.id().inode)
    {
        return Ok(None);
    }
    let netlink = netns.connect()?;
    Ok(Some(Inside { netns, netlink }))
}

/// Deletes all devices that carry the mark of `key`: in the root namespace the host
/// end, in the pod whatever there is, also what only the record's `mac` proves ours. One
/// deletion for each namespace, as each costs an RCU barrier.
pub(crate) async fn remove_links(
    host: &Host,
    inside: Option<&Inside>,
    key: &Key,
    mac: Option<MacAddr>,
) -> Result<()> {
    let name = key.port_name();
    if let Some(link) = host.netlink.link_by_name(&name).await?
        && is_marked(&link, key)
    {
        delete(&host.netlink, &[link]).await?;
    }
    let Some(inside) = inside else { return Ok(()) };
    let aside = names::aside_name(&key.container_id, &key.ifname);
    let mut ours = Vec::new();
    for name in [&key.ifname, &name, &aside] {
        if let Some(link) = inside.netlink.link_by_name(name).await?
            && is_ours(&link, key, mac)
        {
            ours.push(link);
        }
    }
    delete(&inside.netlink, &ours).await
}

/// Deletes links; a port of the kernel datapath can be deleted by vswitchd alone,
/// which does so when the row is gone.
async fn delete(netlink: &netlink::Netlink, links: &[Link]) -> Result<()> {
    let indexes: Vec<u32> = links
        .iter()
        .filter(|link| link.kind.as_deref() != Some("openvswitch"))
        .map(|link| link.index)
        .collect();
    if indexes.is_empty() {
        return Ok(());
    }
    Ok(netlink.delete_many(&indexes).await?)
}
