//! How a pod is attached: one file for each way.
//!
//! Every strategy has two halves. `make` is the whole of ADD's device work; `remake`
//! brings the devices back from whatever state they are in, and may be cut short
//! and repeated at any step. `make` is the careful one (it pushes undo steps),
//! `remake` the tolerant one.

use std::fmt;
use std::str::FromStr;

use netlink::Link;
use serde::{Deserialize, Serialize};

use crate::device::appeared;
use crate::error::{Error, Result};
use crate::host::{Host, Inside};
use crate::ports::Ports;
use crate::record::Attachment;
use crate::store::Store;
use crate::undo::{Step, Undo};

pub(crate) mod bond;
pub(crate) mod macvlan;
pub(crate) mod rename;
pub(crate) mod rename_kernel;
pub(crate) mod routed;
pub(crate) mod veth;

/// A way of attaching a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// veth to the root namespace and host routes, no switch.
    Routed,
    /// veth whose host end is a port of the switch.
    Veth,
    /// Internal port, moved into the pod and renamed.
    Rename,
    /// Internal port, moved into the pod as the one slave of a bond with the pod's name.
    Bond,
    /// Internal port in the root namespace, a passthru macvlan over it in the pod.
    Macvlan,
}

impl Strategy {
    /// All strategies.
    pub const ALL: [Self; 5] = [
        Self::Routed,
        Self::Veth,
        Self::Rename,
        Self::Bond,
        Self::Macvlan,
    ];

    /// The word for it in configuration and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Routed => "routed",
            Self::Veth => "veth",
            Self::Rename => "rename",
            Self::Bond => "bond",
            Self::Macvlan => "macvlan",
        }
    }

    /// Whether the port is one that vswitchd makes itself.
    pub fn is_internal(self) -> bool {
        matches!(self, Self::Rename | Self::Bond | Self::Macvlan)
    }

    /// Makes the devices of a new attachment.
    pub(crate) async fn make(self, site: &mut Site<'_>) -> Result<()> {
        match self {
            Self::Routed => routed::make(site).await,
            Self::Veth => veth::make(site).await,
            Self::Rename if rename_kernel::applies(site.record) => rename_kernel::make(site).await,
            Self::Rename => rename::make(site).await,
            Self::Bond => bond::make(site).await,
            Self::Macvlan => macvlan::make(site).await,
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no port strategy")]
pub struct NotAStrategy(pub String);

impl FromStr for Strategy {
    type Err = NotAStrategy;

    fn from_str(word: &str) -> std::result::Result<Self, NotAStrategy> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.as_str() == word)
            .ok_or_else(|| NotAStrategy(word.to_owned()))
    }
}

/// Where an attachment is being made.
pub(crate) struct Site<'a> {
    pub host: &'a Host,
    pub inside: &'a Inside,
    pub store: &'a Store,
    /// The switch, for every strategy but the routed one.
    pub ports: Option<&'a Ports>,
    pub record: &'a mut Attachment,
    pub undo: &'a mut Undo,
}

/// Adds the record's internal port, notes its number, and returns its device, which
/// is in the root namespace, marked as ours.
pub(crate) async fn make_port(site: &mut Site<'_>) -> Result<Link> {
    site.undo
        .push(Step::HostLink(site.record.port_name.clone()));
    add_port(site).await?;
    let link = appeared(&site.host.netlink, &site.record.port_name).await?;
    site.host
        .netlink
        .set_alias(link.index, &site.record.key().alias())
        .await?;
    Ok(link)
}

/// Adds the record's row to the switch and notes the port's number, so that a
/// re-created port gets the same one and flows that name it stay right.
pub(crate) async fn add_port(site: &mut Site<'_>) -> Result<()> {
    let ports = site.ports.ok_or_else(|| Error::NotApplicable {
        action: "add-port",
        key: site.record.key(),
    })?;
    site.undo.push(Step::Port);
    let row = ports.add(site.record).await?;
    if let (Some(ofport), Some(port)) = (row.ofport(), site.record.port.switch_mut()) {
        port.ofport = Some(ofport);
        if port.ofport_request.is_none() {
            ports.pin_ofport(&site.record.port_name, ofport).await?;
        }
    }
    Ok(())
}
