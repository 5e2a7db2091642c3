//! `rename` on the kernel datapath, where the switch forgets a port that has another name.
//!
//! vswitchd looks its ports up by name whenever it reconfigures: at any change of the
//! database and at any link event of its namespace, so also when a port is moved out.
//! A port that has the pod's name at that moment is replaced by a new one in the root
//! namespace. So a port is moved under its own name, vswitchd is given the time to see
//! that, and only then is the port renamed, which vswitchd does not see. For the same
//! reason every other renamed port of the switch gets its own name for as long as one
//! is moved: else each repair would be the next one's cause.

use std::path::Path;

use netlink::{Link, LinkChange};

use super::Site;
use crate::device::{self, is_internal_port, is_marked};
use crate::error::{Error, Result};
use crate::host::{Host, Inside};
use crate::l3;
use crate::ports::Ports;
use crate::record::{Attachment, Datapath, Key, Phase, Port};
use crate::store::{AttachmentLock, Store};
use crate::undo::Step;

/// Whether this is how `record` is attached.
pub(crate) fn applies(record: &Attachment) -> bool {
    matches!(&record.port, Port::Rename(port) if port.datapath == Datapath::Kernel)
}

/// Makes the port, moves it into the pod, and renames it when vswitchd has seen that.
pub(crate) async fn make(site: &mut Site<'_>) -> Result<()> {
    let siblings = Siblings::name_back(site.store, site.record).await;
    let made = make_alone(site).await;
    siblings.rename().await;
    made
}

async fn make_alone(site: &mut Site<'_>) -> Result<()> {
    let ports = site.ports.ok_or_else(|| not_on_switch(site.record))?;
    let link = super::make_port(site).await?;
    site.undo.push(Step::PodLink(site.record.port_name.clone()));
    let name = site.record.port_name.clone();
    device::move_in(site.host, site.inside, site.record, link.index, &name).await?;
    ports.settled().await?;
    let link = device::required(&site.inside.netlink, &name, "in the pod").await?;
    site.undo.push(Step::PodName);
    rename(site.inside, &link, &site.record.ifname).await?;
    l3::configure(site.inside, site.record, link.index).await
}

/// Brings the port back that vswitchd has replaced.
pub(crate) async fn move_in(
    host: &Host,
    store: &Store,
    inside: &Inside,
    record: &Attachment,
) -> Result<()> {
    let port = record.port.switch().ok_or_else(|| not_on_switch(record))?;
    let ports = Ports::connect(&port.socket).await?;
    let siblings = Siblings::name_back(store, record).await;
    let moved = move_in_alone(host, inside, &ports, record).await;
    siblings.rename().await;
    moved
}

async fn move_in_alone(
    host: &Host,
    inside: &Inside,
    ports: &Ports,
    record: &Attachment,
) -> Result<()> {
    let fresh = host.netlink.link_by_name(&record.port_name).await?;
    let present = inside.netlink.link_by_name(&record.ifname).await?;
    match (fresh.filter(is_internal_port), present) {
        (_, Some(present)) if !is_marked(&present, &record.key()) => {
            return Err(Error::LinkTaken {
                name: present.name,
                found: present.kind.unwrap_or_default(),
            });
        }
        // vswitchd has forgotten the old port without deleting it, and nobody else may;
        // it may have made a new one since. By its own name the old one is found again.
        (_, Some(old)) => {
            ports.let_go(record).await?;
            rename(inside, &old, &record.port_name).await?;
            ports.take_up(record).await?;
        }
        (Some(fresh), None) => {
            device::move_in(host, inside, record, fresh.index, &record.port_name).await?;
        }
        (None, _) => {}
    }
    ports.settled().await?;
    let link = device::required(
        &inside.netlink,
        &record.port_name,
        "in the root namespace and in the pod",
    )
    .await?;
    rename(inside, &link, &record.ifname).await?;
    l3::ensure(inside, record, link.index).await
}

/// Gives a renamed port its own name again, before its row goes: by the pod's name
/// vswitchd does not find it then, and nobody else can delete it.
pub(crate) async fn name_back(inside: &Inside, key: &Key) -> Result<()> {
    let netlink = &inside.netlink;
    let Some(link) = netlink.link_by_name(&key.ifname).await? else {
        return Ok(());
    };
    if link.kind.as_deref() == Some("openvswitch") && is_marked(&link, key) {
        // Kernels before 6.2 rename only what is down.
        netlink.set_down(link.index).await?;
        netlink.rename(link.index, &key.port_name()).await?;
    }
    Ok(())
}

/// Renames a device, up if the kernel can; those before 6.2 want it down, and what that
/// costs is restored with the rest.
async fn rename(inside: &Inside, link: &Link, name: &str) -> Result<()> {
    if link.name == name {
        return Ok(());
    }
    match inside.netlink.rename(link.index, name).await {
        Err(error) if error.is_busy() => {
            inside.netlink.set_down(link.index).await?;
            inside.netlink.rename(link.index, name).await?;
            let up = LinkChange {
                up: Some(true),
                ..LinkChange::default()
            };
            Ok(inside.netlink.change_link(link.index, &up).await?)
        }
        outcome => Ok(outcome?),
    }
}

/// The other renamed ports of the same switch, under their own names for a while. Held
/// with their locks, so that no DEL meets them half-way.
struct Siblings {
    named_back: Vec<(AttachmentLock, Attachment)>,
}

impl Siblings {
    /// What cannot be named back is lost in the next moment and repaired after it, so
    /// nothing here is an error.
    async fn name_back(store: &Store, record: &Attachment) -> Self {
        let socket = record.port.switch().map(|port| port.socket.as_path());
        let mut named_back = Vec::new();
        let listing = store.list().unwrap_or_default();
        for sibling in listing.attachments {
            if sibling.key() == record.key() || !is_sibling(&sibling, socket) {
                continue;
            }
            let Ok(Some(lock)) = store.try_lock(&sibling.key()) else {
                continue;
            };
            match exchange(&sibling, &sibling.ifname, &sibling.port_name).await {
                Ok(true) => named_back.push((lock, sibling)),
                Ok(false) => {}
                Err(error) => tracing::debug!(key = %sibling.key(), %error, "not named back"),
            }
        }
        Self { named_back }
    }

    async fn rename(self) {
        for (_lock, sibling) in self.named_back {
            let renamed = exchange(&sibling, &sibling.port_name, &sibling.ifname).await;
            if let Err(error) = renamed {
                tracing::debug!(key = %sibling.key(), %error, "not renamed again");
            }
        }
    }
}

fn is_sibling(record: &Attachment, socket: Option<&Path>) -> bool {
    applies(record)
        && record.phase == Phase::Ready
        && record.port.switch().map(|port| port.socket.as_path()) == socket
}

/// Gives the port of a pod another name; false if it is not there. Where the kernel
/// wanted it down for that, its configuration is restored.
async fn exchange(record: &Attachment, from: &str, to: &str) -> Result<bool> {
    let inside = Inside::open(record)?;
    let Some(link) = inside.netlink.link_by_name(from).await? else {
        return Ok(false);
    };
    if link.kind.as_deref() != Some("openvswitch") || !is_marked(&link, &record.key()) {
        return Ok(false);
    }
    rename(&inside, &link, to).await?;
    if to == record.ifname {
        l3::ensure(&inside, record, link.index).await?;
    }
    Ok(true)
}

fn not_on_switch(record: &Attachment) -> Error {
    Error::NotApplicable {
        action: "move-in",
        key: record.key(),
    }
}
