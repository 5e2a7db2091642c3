//! Deletion of devices, one or many at the price of one.

use std::hash::{BuildHasher, Hasher, RandomState};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};

use crate::connection::Request;
use crate::link::device;
use crate::{Netlink, Result};

impl Netlink {
    /// Deletes a device; false if there was none. A veth takes its other end with it. The name is free again after 2
    /// to 6 ms, but the kernel answers only after an RCU barrier, 13 to 23 ms in all.
    ///
    /// # Errors
    /// What the kernel says, EOPNOTSUPP for a device that cannot be deleted.
    pub async fn delete(&self, index: u32) -> Result<bool> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        let request = delete_request(message, device(index));
        gone(self.change(request).await)
    }

    /// Deletes devices at the cost of one deletion: they are put into a group that nobody else has, which is then
    /// deleted in one request. Those that no longer exist are passed over.
    ///
    /// If the kernel refuses the group because it cannot delete one of them, they are deleted one by one.
    ///
    /// # Errors
    /// The first error, after everything that can be deleted has been.
    pub async fn delete_many(&self, indexes: &[u32]) -> Result<()> {
        if let [index] = indexes {
            return self.delete(*index).await.map(drop);
        }
        let group = group_of_our_own();
        let mut present = Vec::with_capacity(indexes.len());
        for &index in indexes {
            if gone(self.set_group(index, group).await)? {
                present.push(index);
            }
        }
        if present.is_empty() {
            return Ok(());
        }
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::Group(group));
        let request = delete_request(message, format!("{} devices", present.len()));
        if self.change(request).await.is_ok() {
            return Ok(());
        }
        let mut outcome = Ok(());
        for index in present {
            if let Err(error) = self.delete(index).await {
                // What remains must not stay in a group that a later deletion could draw.
                let reset = self.set_group(index, 0).await;
                outcome = outcome.and(Err(error));
                outcome = outcome.and(reset);
            }
        }
        outcome
    }

    async fn set_group(&self, index: u32, group: u32) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes.push(LinkAttribute::Group(group));
        self.change(Request {
            message: RouteNetlinkMessage::SetLink(message),
            flags: 0,
            operation: "set the group of",
            object: device(index),
        })
        .await
    }
}

pub(crate) fn delete_request(message: LinkMessage, object: String) -> Request {
    Request {
        message: RouteNetlinkMessage::DelLink(message),
        flags: 0,
        operation: "delete",
        object,
    }
}

/// Takes "there is no such device" for an answer: false.
fn gone(outcome: Result<()>) -> Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.is_no_device() => Ok(false),
        Err(error) => Err(error),
    }
}

/// A random group in the upper half of the positive range, which no administrator's small number meets and no other
/// process draws at the same moment.
fn group_of_our_own() -> u32 {
    let random = RandomState::new().build_hasher().finish();
    0x4000_0000 | (random as u32 & 0x3fff_ffff)
}
