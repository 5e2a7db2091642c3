//! Deleting a veth without waiting until the kernel is done with it.
//!
//! The kernel answers RTM_DELLINK only after an RCU barrier, long after both ends,
//! their addresses and routes are gone from view. That wait holds whoever asked, so
//! it is left to a child: this program again, which no one waits for. DEL goes on as
//! soon as the device is not to be seen any more. If anything goes wrong here, the
//! device is still there, and is deleted as if nothing had been tried.

use std::process::Stdio;
use std::time::Duration;

use attachment::{Host, Key};
use netlink::{Netlink, Netns};

use crate::child;
use crate::error::Error;

/// The first argument that makes this program such a child; after it the device's
/// name and alias.
pub const ARGUMENT: &str = "--delete-link";

/// How long the device may stay in view before DEL deletes it itself.
const LIMIT: Duration = Duration::from_millis(500);

/// How long the switch may take to delete the device of a port that it made itself.
/// One that is dead does not, and the device is deleted without it.
const SWITCH_LIMIT: Duration = Duration::from_secs(2);

/// How often is looked. A look waits for the deletion in the kernel anyway.
const POLL: Duration = Duration::from_micros(200);

/// Deletes the veth of an attachment, as far as that works.
pub async fn ahead(host: &Host, sandbox: Option<&Netns>, key: &Key) -> Result<(), Error> {
    let name = key.port_name();
    let Some(link) = host.netlink.link_by_name(&name).await? else {
        return Ok(());
    };
    if link.kind.as_deref() != Some("veth") || !is_marked(&link, &key.alias()) {
        return Ok(());
    }
    let mut child = child::start([ARGUMENT, &name, &key.alias()], Stdio::null())
        .map_err(|error| Error::Internal(format!("start a child: {error}")))?;
    let inside = sandbox.map(Netns::connect).transpose()?;
    let gone = async {
        loop {
            let has_ended = !matches!(child.try_wait(), Ok(None));
            if has_ended || is_gone(host, inside.as_ref(), key, &[&key.ifname]).await? {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.unwrap_or(Ok(()))
}

/// Waits until the switch has deleted the device of a port whose row is gone, and in
/// the pod those called `names`. What it does after that, for as long again, is
/// nobody's concern.
pub async fn by_switch(
    host: &Host,
    sandbox: Option<&Netns>,
    key: &Key,
    names: &[&str],
) -> Result<(), Error> {
    let inside = sandbox.map(Netns::connect).transpose()?;
    let gone = async {
        while !is_gone(host, inside.as_ref(), key, names).await? {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    };
    tokio::time::timeout(SWITCH_LIMIT, gone)
        .await
        .unwrap_or(Ok(()))
}

/// Whether nothing is in view: neither the device in the root namespace, nor in the
/// pod those of ours called `names`.
async fn is_gone(
    host: &Host,
    inside: Option<&Netlink>,
    key: &Key,
    names: &[&str],
) -> Result<bool, Error> {
    if host.netlink.link_by_name(&key.port_name()).await?.is_some() {
        return Ok(false);
    }
    let Some(inside) = inside else {
        return Ok(true);
    };
    for name in names {
        let link = inside.link_by_name(name).await?;
        if link.is_some_and(|link| is_marked(&link, &key.alias())) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_marked(link: &netlink::Link, alias: &str) -> bool {
    link.alias.as_deref() == Some(alias)
}

/// The child: deletes the device called `name` if it carries `alias`.
pub async fn run(name: &str, alias: &str) -> Result<(), Error> {
    let netlink = Netns::current()?.connect()?;
    match netlink.link_by_name(name).await? {
        Some(link) if is_marked(&link, alias) => Ok(netlink.delete(link.index).await.map(drop)?),
        _ => Ok(()),
    }
}
