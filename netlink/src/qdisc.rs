//! Queueing disciplines, of which one is of interest: clsact, which has the filters of a device on kernels without
//! links for programs.

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcHandle, TcMessage};
use nix::errno::Errno;

use crate::connection::Request;
use crate::{Netlink, Result};

impl Netlink {
    /// Removes the clsact qdisc of a device if it has no filters, whoever made it. False if there is none, or it has
    /// some.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn remove_idle_clsact(&self, dev: u32) -> Result<bool> {
        for hook in [TcHandle::MIN_INGRESS, TcHandle::MIN_EGRESS] {
            let mut message = message_of(dev);
            message.header.parent = TcHandle {
                major: u16::MAX,
                minor: hook,
            };
            let filters = self
                .dump(Request {
                    message: RouteNetlinkMessage::GetTrafficFilter(message),
                    flags: 0,
                    operation: "list",
                    object: format!("the filters of device {dev}"),
                })
                .await;
            match filters {
                Ok(filters) if filters.is_empty() => {}
                Ok(_) => return Ok(false),
                // No clsact.
                Err(error) if matches!(error.errno(), Some(Errno::EINVAL | Errno::ENOENT)) => {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        let mut message = message_of(dev);
        message.header.parent = TcHandle::CLSACT;
        let request = Request {
            message: RouteNetlinkMessage::DelQueueDiscipline(message),
            flags: 0,
            operation: "remove",
            object: format!("the clsact qdisc of device {dev}"),
        };
        match self.change(request).await {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.errno(), Some(Errno::EINVAL | Errno::ENOENT)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn message_of(dev: u32) -> TcMessage {
    TcMessage::with_index(i32::try_from(dev).unwrap_or_default())
}
