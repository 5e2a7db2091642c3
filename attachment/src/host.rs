//! The root namespace: the one this process is in, where the switch and the host
//! ends of veths are.

use netlink::{Netlink, Netns};

use crate::error::{Error, Result};
use crate::record::Attachment;

/// An open handle of the root namespace.
#[derive(Debug, Clone)]
pub struct Host {
    /// The namespace.
    pub netns: Netns,
    /// A netlink connection inside it.
    pub netlink: Netlink,
}

impl Host {
    /// Opens the namespace the calling thread is in. Needs a tokio runtime.
    pub fn current() -> Result<Self> {
        Self::of(Netns::current()?)
    }

    /// Takes `netns` for the root namespace.
    pub fn of(netns: Netns) -> Result<Self> {
        let netlink = netns.connect()?;
        Ok(Self { netns, netlink })
    }
}

/// The namespace of one pod, entered for the time of one operation: a handle kept
/// longer would keep the namespace alive after its pod.
#[derive(Debug)]
pub(crate) struct Inside {
    pub netns: Netns,
    pub netlink: Netlink,
}

impl Inside {
    /// Opens the namespace of `record`, and only that: a reused path is refused.
    pub fn open(record: &Attachment) -> Result<Self> {
        let netns = Netns::open(&record.netns.path)?;
        if (netns.id().dev, netns.id().inode) != (record.netns.dev, record.netns.inode) {
            return Err(Error::NetnsReplaced {
                key: record.key(),
                path: record.netns.path.clone(),
            });
        }
        let netlink = netns.connect()?;
        Ok(Self { netns, netlink })
    }
}
